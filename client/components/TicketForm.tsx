/** The form for a new listing and for changes to it. */
import { useRouter } from "next/router";
import { useEffect, useMemo, useRef } from "react";
import { useFormSubmission } from "@/hooks/useFormSubmission";
import { useHydrated } from "@/hooks/useHydrated";
import { invalidInput } from "@/lib/api/errors";
import type { Ticket, TicketInput } from "@/lib/api/types";
import { restoreDraft } from "@/lib/draft";
import { STARTS_AT, STARTS_AT_WHICH, startsAtFrom } from "@/lib/startsAt";
import { ownZone } from "@/lib/timeZone";
import styles from "@/styles/page.module.css";
import { Button } from "./Button";
import { TextAreaField, TextField } from "./Field";
import { FormError } from "./FormError";
import { StartsAtField } from "./StartsAtField";

const NO_TITLE = { title: "Enter a title." };
const NO_PRICE = { price: "Enter a number with at most two decimals, for example 25 or 25.50." };
const HALF_A_DATE = { [STARTS_AT]: "Enter both a date and a time, or leave both empty." };
const FIELDS = ["title", "price", "venue", STARTS_AT, STARTS_AT_WHICH, "description"];

interface Props {
  ticket?: Ticket;
  submitLabel: string;
  onSubmit: (input: TicketInput) => Promise<void>;
}

export function TicketForm({ ticket, submitLabel, onSubmit }: Props) {
  const hydrated = useHydrated();
  const form = useRef<HTMLFormElement>(null);
  const { asPath } = useRouter();
  const before = ticket?.startsAt ?? null;
  // Fixed while this form is shown: typed times keep their meaning when the computer's time zone changes.
  const zone = useMemo(() => (hydrated ? ownZone() : null), [hydrated]);
  useEffect(() => {
    // The session had ended at the last submission: the seller has signed in again and returned.
    if (hydrated && form.current) restoreDraft(asPath, form.current);
  }, [hydrated, asPath]);
  const { busy, error, submit } = useFormSubmission(async (data) => {
    const text = (name: string) => String(data.get(name)).trim() || null;
    const title = text("title");
    const price = readPrice(String(data.get("price")));
    if (title === null || price === null)
      throw invalidInput({ ...(!title && NO_TITLE), ...(price === null && NO_PRICE) });
    // FormData reports an incomplete date as an empty one.
    if (form.current?.querySelector<HTMLInputElement>(`[name=${STARTS_AT}]`)?.validity.badInput)
      throw invalidInput(HALF_A_DATE);
    await onSubmit({
      title,
      price,
      venue: text("venue"),
      startsAt: startsAtFrom(data, before, zone ?? ownZone()),
      description: text("description"),
    });
  });
  const errors = error?.fieldErrors ?? {};

  return (
    <form ref={form} className={styles.card} onSubmit={submit} noValidate>
      <FormError error={error} fields={FIELDS} />
      <TextField
        label="Title"
        name="title"
        required
        maxLength={200}
        defaultValue={ticket?.title}
        error={errors.title}
      />
      <div className={styles.pair}>
        <TextField
          label="Price in US dollars"
          name="price"
          required
          inputMode="decimal"
          placeholder="25.00"
          defaultValue={ticket?.price.toFixed(2)}
          error={errors.price}
        />
        <StartsAtField key={zone} startsAt={before} zone={zone} errors={errors} />
      </div>
      <TextField
        label="Venue"
        name="venue"
        optional
        maxLength={200}
        defaultValue={ticket?.venue ?? ""}
        error={errors.venue}
      />
      <TextAreaField
        label="Description"
        name="description"
        optional
        maxLength={2000}
        hint="Section, entrance and anything else that buyers should know."
        defaultValue={ticket?.description ?? ""}
        error={errors.description}
      />
      <Button type="submit" wide busy={busy}>
        {submitLabel}
      </Button>
    </form>
  );
}

function readPrice(text: string): number | null {
  const normal = text.trim().replace(",", ".");
  return /^\d+(\.\d{1,2})?$/.test(normal) ? Number(normal) : null;
}
