/** The errors of a refused request: those of no single input, and how many inputs are marked if several are. */
import type { ApiError } from "@/lib/api/errors";
import { formatWait } from "@/lib/format";
import { Notice } from "./Notice";

interface Props {
  error: ApiError | null;
  /** The inputs that show their own errors. The first of them gets the focus, so one needs no summary. */
  fields?: string[];
}

export function ErrorNotice({ error, fields = [] }: Props) {
  if (!error) return null;
  const marked = fields.filter((name) => name in error.fieldErrors).length;
  const messages = error.generalErrors(fields);
  if (marked > 1) messages.push(`Please check the ${marked} marked fields.`);
  if (messages.length === 0) return null;
  const wait = error.retryAfter ? ` Try again in ${formatWait(error.retryAfter)}.` : "";
  return <Notice tone="bad">{messages.join(" ") + wait}</Notice>;
}
