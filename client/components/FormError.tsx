/** The part of a refusal that belongs to no single input. */
import type { ApiError } from "@/lib/api/errors";
import { Notice } from "./Notice";

/** `fields` are the inputs that show their own errors. */
export function FormError({ error, fields }: { error: ApiError | null; fields: string[] }) {
  if (!error) return null;
  const shown = Object.keys(error.fieldErrors);
  if (shown.length > 0 && shown.every((field) => fields.includes(field))) return null;
  const wait = error.retryAfter ? ` Try again in ${error.retryAfter} s.` : "";
  return <Notice tone="bad">{error.message + wait}</Notice>;
}
