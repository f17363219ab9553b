/** The event's start in the seller's time zone; where clocks go back, also which of the two times is meant. */
import { useState } from "react";
import { formatDateTime } from "@/lib/format";
import { isosFromLocalInput, localInputFromIso } from "@/lib/localInput";
import { STARTS_AT, STARTS_AT_WHICH, whichOf } from "@/lib/startsAt";
import { zoneName } from "@/lib/timeZone";
import styles from "@/styles/page.module.css";
import { SelectField, TextField } from "./Field";

interface Props {
  /** The listing's present start. */
  startsAt: string | null;
  /** Known only in the browser: null on the server and during hydration. */
  zone: string | null;
  readOnly?: boolean;
}

export function StartsAtField({ startsAt, zone, readOnly = false }: Props) {
  const shown = zone && startsAt ? localInputFromIso(startsAt, zone) : "";
  const [text, setText] = useState(shown);
  const instants = zone ? isosFromLocalInput(text, zone) : [];
  const [earlier, later] = instants.length === 2 ? instants : [];
  const label = (which: string, iso: string | undefined) =>
    iso ? `${which}: ${formatDateTime(iso, "local", "always")}` : which;
  return (
    <div className={styles.fields}>
      <TextField
        label="Starts at"
        name={STARTS_AT}
        type="datetime-local"
        optional
        readOnly={readOnly}
        hint={zone ? `In your time zone, ${zoneName(zone)}.` : undefined}
        defaultValue={shown}
        onInput={(event) => setText(event.currentTarget.value)}
      />
      {/* Rendered even while hidden, so that a restored draft can set it. */}
      <div hidden={!later}>
        <SelectField
          label="Clocks go back: which of the two times?"
          name={STARTS_AT_WHICH}
          defaultValue={zone ? whichOf(startsAt, isosFromLocalInput(shown, zone)) : ""}
        >
          <option value="">Choose one</option>
          <option value="earlier">{label("First", earlier)}</option>
          <option value="later">{label("Second", later)}</option>
        </SelectField>
      </div>
    </div>
  );
}
