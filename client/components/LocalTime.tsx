/** A time in the reader's time zone; the server, which does not know the zone, renders UTC and labels it. */
import { useHydrated } from "@/hooks/useHydrated";
import { formatDateTime } from "@/lib/format";

interface Props {
  iso: string;
  /** Adds the offset from UTC, so that readers do not take the time for the local time at the venue. */
  withOffset?: boolean;
}

export function LocalTime({ iso, withOffset = false }: Props) {
  const zone = useHydrated() ? "local" : "UTC";
  return <time dateTime={iso}>{formatDateTime(iso, zone, withOffset || zone === "UTC" ? "always" : "repeated")}</time>;
}
