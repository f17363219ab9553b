/** The form for a new listing and for changes to it. */
import { useRouter } from "next/router";
import { useEffect, useMemo, useRef } from "react";
import { useHydrated } from "@/hooks/useHydrated";
import { invalidInput } from "@/lib/api/errors";
import type { Ticket, TicketInput } from "@/lib/api/types";
import { restoreDraft } from "@/lib/draft";
import { countTickets, MAX_SEATS_PER_LISTING } from "@/lib/seats";
import { STARTS_AT, startsAtFrom } from "@/lib/startsAt";
import { ownZone } from "@/lib/timeZone";
import styles from "@/styles/page.module.css";
import { TextAreaField, TextField } from "./Field";
import { Form, FormError, SubmitButton } from "./Form";
import { Notice } from "./Notice";
import { StartsAtField } from "./StartsAtField";

const NO_TITLE = { title: "Enter a title." };
const NO_PRICE = { price: "Enter a number with at most two decimals, for example 25 or 25.50." };
const NO_QUANTITY = { quantity: `Enter a whole number from 1 to ${MAX_SEATS_PER_LISTING.toLocaleString("en")}.` };
const HALF_A_DATE = { [STARTS_AT]: "Enter both a date and a time, or leave both empty." };

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
  const { quantity: seats, available } = ticket ?? { quantity: 1, available: 1 };
  const taken = seats - available;
  // Fixed while this form is shown: typed times keep their meaning when the computer's time zone changes.
  const zone = useMemo(() => (hydrated ? ownZone() : null), [hydrated]);
  useEffect(() => {
    // The session had ended at the last submission: the seller has signed in again and returned.
    if (hydrated && form.current) restoreDraft(asPath, form.current);
  }, [hydrated, asPath]);

  async function send(data: FormData) {
    const text = (name: string) => String(data.get(name)).trim() || null;
    const title = text("title");
    const price = readPrice(String(data.get("price")));
    const quantity = readQuantity(String(data.get("quantity")));
    if (title === null || price === null || quantity === null)
      throw invalidInput({
        ...(!title && NO_TITLE),
        ...(price === null && NO_PRICE),
        ...(quantity === null && NO_QUANTITY),
      });
    // FormData reports an incomplete date as an empty one.
    if (form.current?.querySelector<HTMLInputElement>(`[name=${STARTS_AT}]`)?.validity.badInput)
      throw invalidInput(HALF_A_DATE);
    await onSubmit({
      title,
      price,
      venue: text("venue"),
      startsAt: startsAtFrom(data, before, zone ?? ownZone()),
      description: text("description"),
      quantity,
    });
  }

  return (
    <Form ref={form} className={styles.card} send={send} data-draft>
      <FormError />
      {taken > 0 && (
        <Notice tone="info" title={`${taken} of ${countTickets(seats)} ${taken === 1 ? "is" : "are"} sold or on hold.`}>
          You can change the price for further buyers, the number of tickets and the description.
        </Notice>
      )}
      <TextField
        label="Title"
        name="title"
        required
        readOnly={taken > 0}
        maxLength={200}
        defaultValue={ticket?.title}
      />
      <div className={styles.pair}>
        <TextField
          label="Price in US dollars"
          hint="For each ticket."
          name="price"
          required
          inputMode="decimal"
          placeholder="25.00"
          defaultValue={ticket?.price.toFixed(2)}
        />
        <TextField
          label="Number of tickets"
          name="quantity"
          required
          inputMode="numeric"
          hint={taken > 0 ? `At least ${taken}.` : undefined}
          defaultValue={seats}
        />
      </div>
      <StartsAtField key={zone} startsAt={before} zone={zone} readOnly={taken > 0} />
      <TextField
        label="Venue"
        name="venue"
        optional
        readOnly={taken > 0}
        maxLength={200}
        defaultValue={ticket?.venue ?? ""}
      />
      <TextAreaField
        label="Description"
        name="description"
        optional
        maxLength={2000}
        hint="Section, entrance and anything else that buyers should know."
        defaultValue={ticket?.description ?? ""}
      />
      <SubmitButton wide>{submitLabel}</SubmitButton>
    </Form>
  );
}

function readPrice(text: string): number | null {
  const normal = text.trim().replace(",", ".");
  return /^\d+(\.\d{1,2})?$/.test(normal) ? Number(normal) : null;
}

function readQuantity(text: string): number | null {
  // As the error message writes it: "20,000".
  const digits = text.trim().replace(/^(\d{1,2}),(\d{3})$/, "$1$2");
  const quantity = /^\d{1,5}$/.test(digits) ? Number(digits) : 0;
  return quantity >= 1 && quantity <= MAX_SEATS_PER_LISTING ? quantity : null;
}
