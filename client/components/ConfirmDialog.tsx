/** A button that asks for confirmation before an action that cannot be undone. */
import { type ReactNode, useId, useRef, useState } from "react";
import { ApiError } from "@/lib/api/errors";
import { Button } from "./Button";
import styles from "./ConfirmDialog.module.css";
import { Notice } from "./Notice";

interface Props {
  label: string;
  title: string;
  children: ReactNode;
  confirmLabel: string;
  keepLabel: string;
  onConfirm: () => Promise<void>;
}

export function ConfirmDialog({ label, title, children, confirmLabel, keepLabel, onConfirm }: Props) {
  const dialog = useRef<HTMLDialogElement>(null);
  const titleId = useId();
  const [busy, setBusy] = useState(false);
  const [error, setError] = useState<ApiError | null>(null);

  async function confirm() {
    setBusy(true);
    setError(null);
    try {
      await onConfirm();
      dialog.current?.close();
    } catch (failure) {
      if (!(failure instanceof ApiError)) throw failure;
      setError(failure);
    } finally {
      setBusy(false);
    }
  }

  return (
    <>
      <Button variant="danger" onClick={() => dialog.current?.showModal()}>
        {label}
      </Button>
      <dialog ref={dialog} className={styles.dialog} aria-labelledby={titleId} onClose={() => setError(null)}>
        <div className={styles.content}>
          <h2 id={titleId}>{title}</h2>
          <div>{children}</div>
          {error && <Notice tone="bad">{error.message}</Notice>}
          <div className={styles.actions}>
            <Button variant="secondary" onClick={() => dialog.current?.close()}>
              {keepLabel}
            </Button>
            <Button variant="danger" busy={busy} onClick={confirm}>
              {confirmLabel}
            </Button>
          </div>
        </div>
      </dialog>
    </>
  );
}
