/** When the event starts, in the seller's time zone, and which of two times is meant where clocks go back. */
import { useState } from "react";
import { formatDateTime } from "@/lib/format";
import { isosFromLocalInput, localInputFromIso } from "@/lib/localInput";
import { STARTS_AT, STARTS_AT_WHICH, whichOf } from "@/lib/startsAt";
import { zoneName } from "@/lib/timeZone";
import { SelectField, TextField } from "./Field";
import styles from "./StartsAtField.module.css";

interface Props {
  /** The listing's present start. */
  startsAt: string | null;
  /** Only the browser knows it: null on the server and until hydration is over. */
  zone: string | null;
  errors: Record<string, string>;
}

export function StartsAtField({ startsAt, zone, errors }: Props) {
  const shown = zone && startsAt ? localInputFromIso(startsAt, zone) : "";
  const [text, setText] = useState(shown);
  const instants = zone ? isosFromLocalInput(text, zone) : [];
  const [earlier, later] = instants.length === 2 ? instants : [];
  const label = (which: string, iso: string | undefined) =>
    iso ? `${which}: ${formatDateTime(iso, "local", "always")}` : which;
  return (
    <div className={styles.field}>
      <TextField
        label="Starts at"
        name={STARTS_AT}
        type="datetime-local"
        optional
        hint={zone ? `In your time zone, ${zoneName(zone)}.` : undefined}
        defaultValue={shown}
        onInput={(event) => setText(event.currentTarget.value)}
        error={errors[STARTS_AT]}
      />
      {/* There even while it is hidden, so that a draft finds it. */}
      <div hidden={!later}>
        <SelectField
          label="Clocks go back: which of the two?"
          name={STARTS_AT_WHICH}
          defaultValue={zone ? whichOf(startsAt, isosFromLocalInput(shown, zone)) : ""}
          error={errors[STARTS_AT_WHICH]}
        >
          <option value="">Choose one</option>
          <option value="earlier">{label("First", earlier)}</option>
          <option value="later">{label("Second", later)}</option>
        </SelectField>
      </div>
    </div>
  );
}
