/** A number input with buttons for fewer and more. */
import { useId, useState } from "react";
import field from "./Field.module.css";
import styles from "./QuantityStepper.module.css";

interface Props {
  label: string;
  value: number;
  /** `value` may be above it, if fewer are left than the buyer chose before. */
  max: number;
  onChange: (value: number) => void;
}

export function QuantityStepper({ label, value, max, onChange }: Props) {
  const id = useId();
  /** The text while it is edited, which may be empty or out of range. */
  const [draft, setDraft] = useState<string | null>(null);
  const set = (wanted: number) => onChange(Math.max(1, Math.min(max, wanted)));

  function type(text: string) {
    setDraft(text);
    const typed = Number(text);
    if (Number.isInteger(typed) && typed >= 1 && typed <= max) onChange(typed);
  }

  return (
    <div className={styles.field}>
      <label htmlFor={id} className={field.label}>
        {label}
      </label>
      <div className={styles.stepper}>
        <StepButton label="Fewer tickets" sign="−" disabled={value <= 1} onPress={() => set(value - 1)} />
        <input
          id={id}
          className={styles.input}
          type="number"
          inputMode="numeric"
          min={1}
          max={Math.max(1, max)}
          value={draft ?? value}
          onChange={(event) => type(event.target.value)}
          onBlur={() => setDraft(null)}
        />
        <StepButton label="More tickets" sign="+" disabled={value >= max} onPress={() => set(value + 1)} />
      </div>
    </div>
  );
}

/** Not `disabled` at the ends: the button would lose the focus. */
function StepButton(props: { label: string; sign: string; disabled: boolean; onPress: () => void }) {
  const { label, sign, disabled, onPress } = props;
  return (
    <button
      type="button"
      className={styles.step}
      aria-label={label}
      aria-disabled={disabled || undefined}
      onClick={() => !disabled && onPress()}
    >
      {sign}
    </button>
  );
}
