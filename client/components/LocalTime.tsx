/** A moment in the reader's time zone; the server, which cannot know it, writes UTC and says so. */
import { useHydrated } from "@/hooks/useHydrated";
import { formatDateTime } from "@/lib/format";

export function LocalTime({ iso }: { iso: string }) {
  const hydrated = useHydrated();
  return <time dateTime={iso}>{hydrated ? formatDateTime(iso) : `${formatDateTime(iso, "UTC")} UTC`}</time>;
}
