/** Says when the page no longer follows what happens, and when it does again; a screen reader hears both. */
import { useEffect, useRef, useState } from "react";
import { useConnection } from "@/hooks/useConnection";
import styles from "./ConnectionStatus.module.css";

const TEXTS = {
  offline: "You are offline. What you see may have changed; it catches up by itself when the connection is back.",
  interrupted: "The live connection is interrupted. We keep trying, and look for changes every few seconds.",
  back: "You are back online, and everything is current.",
} as const;

/** Long enough to be read. */
const BACK_MS = 4_000;

export function ConnectionStatus() {
  const connection = useConnection();
  const wasAway = useRef(false);
  const [back, setBack] = useState(false);

  useEffect(() => {
    if (connection !== "current") {
      wasAway.current = true;
      setBack(false);
      return;
    }
    if (!wasAway.current) return;
    wasAway.current = false;
    setBack(true);
    const timer = setTimeout(() => setBack(false), BACK_MS);
    return () => clearTimeout(timer);
  }, [connection]);

  const shown = connection === "current" ? (back ? "back" : null) : connection;
  // The region is there before its text: one that appears together with its text is not read out.
  return (
    <div role="status" className={shown ? `${styles.status} ${styles[shown]}` : styles.none}>
      {shown && TEXTS[shown]}
    </div>
  );
}
