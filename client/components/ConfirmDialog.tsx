/** A button that asks for confirmation before an action that cannot be undone. */
import { type ReactNode, useId, useRef } from "react";
import { useAction } from "@/hooks/useAction";
import page from "@/styles/page.module.css";
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
  const { busy, error, start, clearError } = useAction(async () => {
    await onConfirm();
    dialog.current?.close();
  });

  return (
    <>
      <Button variant="danger" onClick={() => dialog.current?.showModal()}>
        {label}
      </Button>
      <dialog ref={dialog} className={styles.dialog} aria-labelledby={titleId} onClose={clearError}>
        <div className={page.fields}>
          <h2 id={titleId}>{title}</h2>
          <div>{children}</div>
          {error && <Notice tone="bad">{error.message}</Notice>}
          <div className={styles.actions}>
            <Button variant="secondary" onClick={() => dialog.current?.close()}>
              {keepLabel}
            </Button>
            <Button variant="danger" busy={busy} onClick={start}>
              {confirmLabel}
            </Button>
          </div>
        </div>
      </dialog>
    </>
  );
}
