/** A moment in the reader's time zone; the server, which cannot know it, writes UTC and says so. */
import { useHydrated } from "@/hooks/useHydrated";
import { formatDateTime } from "@/lib/format";

interface Props {
  iso: string;
  /** Says the distance from UTC too: the time of an event elsewhere must not be taken for the time at its place. */
  withOffset?: boolean;
}

export function LocalTime({ iso, withOffset = false }: Props) {
  const zone = useHydrated() ? "local" : "UTC";
  return <time dateTime={iso}>{formatDateTime(iso, zone, withOffset || zone === "UTC" ? "always" : "repeated")}</time>;
}
