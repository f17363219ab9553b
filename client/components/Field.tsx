/** A labelled input with its hint and its error, connected for screen readers. */
import { type ComponentProps, useId } from "react";
import styles from "./Field.module.css";

interface FieldText {
  label: string;
  optional?: boolean;
  hint?: string | undefined;
  error?: string | undefined;
}

function useDescription({ hint, error }: FieldText) {
  const id = useId();
  const hintId = hint ? `${id}-hint` : undefined;
  const errorId = error ? `${id}-error` : undefined;
  const describedBy = [errorId, hintId].filter(Boolean).join(" ") || undefined;
  return { id, hintId, errorId, aria: { "aria-describedby": describedBy, "aria-invalid": error ? true : undefined } };
}

function Frame(props: FieldText & { ids: ReturnType<typeof useDescription>; children: React.ReactNode }) {
  const { label, optional, hint, error, ids, children } = props;
  return (
    <div className={styles.field}>
      <label htmlFor={ids.id} className={styles.label}>
        {label} {optional && <span className={styles.optional}>(optional)</span>}
      </label>
      {children}
      {error && (
        <p id={ids.errorId} className={styles.error}>
          {error}
        </p>
      )}
      {hint && (
        <p id={ids.hintId} className={styles.hint}>
          {hint}
        </p>
      )}
    </div>
  );
}

export function TextField({ label, optional, hint, error, ...input }: FieldText & ComponentProps<"input">) {
  const ids = useDescription({ label, hint, error });
  return (
    <Frame label={label} optional={optional ?? false} hint={hint} error={error} ids={ids}>
      <input {...input} id={ids.id} className={styles.input} {...ids.aria} />
    </Frame>
  );
}

export function TextAreaField({ label, optional, hint, error, ...input }: FieldText & ComponentProps<"textarea">) {
  const ids = useDescription({ label, hint, error });
  return (
    <Frame label={label} optional={optional ?? false} hint={hint} error={error} ids={ids}>
      <textarea {...input} id={ids.id} className={styles.input} {...ids.aria} />
    </Frame>
  );
}

export function SelectField({ label, optional, hint, error, ...input }: FieldText & ComponentProps<"select">) {
  const ids = useDescription({ label, hint, error });
  return (
    <Frame label={label} optional={optional ?? false} hint={hint} error={error} ids={ids}>
      <select {...input} id={ids.id} className={styles.input} {...ids.aria} />
    </Frame>
  );
}
