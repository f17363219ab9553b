/** Shows when live updates are interrupted and when they resume; a live region, so screen readers announce both. */
import { useEffect, useRef, useState, useSyncExternalStore } from "react";
import { currentConnection, subscribeConnection } from "@/lib/live/connection";
import tones from "@/styles/tones.module.css";
import styles from "./ConnectionStatus.module.css";

const TEXTS = {
  offline: "You are offline. This page may be out of date; it updates when you are connected again.",
  interrupted: "Live updates are interrupted. We are reconnecting and check for changes every few seconds.",
  back: "You are back online. This page is up to date.",
};

/** Long enough to read the message. */
const BACK_MS = 4_000;

export function ConnectionStatus() {
  const connection = useSyncExternalStore(subscribeConnection, currentConnection, () => "current" as const);
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
  // The live region is rendered before its text: screen readers skip a region that appears together with its text.
  return (
    <div
      role="status"
      className={shown ? `${styles.status} ${shown === "back" ? tones.good : tones.warn} screenOnly` : undefined}
    >
      {shown && TEXTS[shown]}
    </div>
  );
}
