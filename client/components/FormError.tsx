/** The errors of a refused request that belong to no single input. */
import type { ApiError } from "@/lib/api/errors";
import { formatWait } from "@/lib/format";
import { Notice } from "./Notice";

/** `fields` are the inputs that show their own errors. */
export function FormError({ error, fields }: { error: ApiError | null; fields: string[] }) {
  const messages = error?.generalErrors(fields) ?? [];
  if (messages.length === 0) return null;
  const wait = error?.retryAfter ? ` Try again in ${formatWait(error.retryAfter)}.` : "";
  return <Notice tone="bad">{messages.join(" ") + wait}</Notice>;
}
