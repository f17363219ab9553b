/** A button that sends a mail, and waits when the server says that it was too early (429 with Retry-After). */
import { useId, useState } from "react";
import { useAction } from "@/hooks/useAction";
import { useCoolDown } from "@/hooks/useCoolDown";
import { ApiError } from "@/lib/api/errors";
import { formatWait } from "@/lib/format";
import styles from "@/styles/page.module.css";
import { Button } from "./Button";
import { ErrorNotice } from "./ErrorNotice";

interface Props {
  label: string;
  /** Shown once the mail is on its way. */
  sent: string;
  send: () => Promise<unknown>;
}

export function SendAgain({ label, sent, send }: Props) {
  const waitId = useId();
  const [result, setResult] = useState<"none" | "sent" | "too early">("none");
  const { seconds, start: coolDown } = useCoolDown();
  const { busy, error, start } = useAction(async () => {
    setResult("none");
    try {
      await send();
      setResult("sent");
    } catch (failure) {
      if (!(failure instanceof ApiError && failure.status === 429 && failure.retryAfter)) throw failure;
      coolDown(failure.retryAfter);
      setResult("too early");
    }
  });
  const waiting = seconds > 0;

  return (
    <div className={styles.actions}>
      <ErrorNotice error={error} />
      <Button
        variant="secondary"
        busy={busy}
        inactive={waiting}
        aria-describedby={waiting ? waitId : undefined}
        onClick={start}
      >
        {label}
      </Button>
      <p role="status">
        {result === "sent" && sent}
        {result === "too early" && waiting && "We cannot send another mail yet."}
      </p>
      {/* Outside of the live region, which would announce every second. */}
      {waiting && (
        <p id={waitId} className={styles.count}>
          Try again in {formatWait(seconds)}.
        </p>
      )}
    </div>
  );
}
