/** A labelled input with its hint and its error, connected for screen readers. */
import { type ComponentProps, type ReactNode, useId } from "react";
import styles from "./Field.module.css";
import { useSubmission } from "./Form";

interface FieldText {
  label: string;
  optional?: boolean | undefined;
  hint?: string | undefined;
  /** If absent: the message of the form's last submission about the field. */
  error?: string | undefined;
}

interface Connection {
  id: string;
  className: string | undefined;
  "aria-describedby": string | undefined;
  "aria-invalid": true | undefined;
}

interface Props extends FieldText {
  name?: string | undefined;
  input: (connection: Connection) => ReactNode;
}

function Field({ label, optional = false, hint, error: given, name = "", input }: Props) {
  const id = useId();
  const error = useSubmission().error?.fieldErrors[name] ?? given;
  const hintId = hint ? `${id}-hint` : undefined;
  const errorId = error ? `${id}-error` : undefined;
  const describedBy = [errorId, hintId].filter(Boolean).join(" ") || undefined;
  return (
    <div className={styles.field}>
      <label htmlFor={id} className={styles.label}>
        {label} {optional && <span className={styles.optional}>(optional)</span>}
      </label>
      {input({
        id,
        className: styles.input,
        "aria-describedby": describedBy,
        "aria-invalid": error ? true : undefined,
      })}
      {error && (
        <p id={errorId} className={styles.error}>
          {error}
        </p>
      )}
      {hint && (
        <p id={hintId} className={styles.hint}>
          {hint}
        </p>
      )}
    </div>
  );
}

export function TextField({ label, optional, hint, error, ...rest }: FieldText & ComponentProps<"input">) {
  const text = { label, optional, hint, error, name: rest.name };
  return <Field {...text} input={(connection) => <input {...rest} {...connection} />} />;
}

export function TextAreaField({ label, optional, hint, error, ...rest }: FieldText & ComponentProps<"textarea">) {
  const text = { label, optional, hint, error, name: rest.name };
  return <Field {...text} input={(connection) => <textarea {...rest} {...connection} />} />;
}

export function SelectField({ label, optional, hint, error, ...rest }: FieldText & ComponentProps<"select">) {
  const text = { label, optional, hint, error, name: rest.name };
  return <Field {...text} input={(connection) => <select {...rest} {...connection} />} />;
}
