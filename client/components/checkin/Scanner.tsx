/** The camera, and a field for a code that the camera cannot read. */
import { type FormEvent, useState } from "react";
import { type CameraState, useCamera } from "@/hooks/useCamera";
import { enableSound } from "@/lib/checkin/signal";
import page from "@/styles/page.module.css";
import { Button } from "../Button";
import { TextField } from "../Field";
import { Notice } from "../Notice";
import styles from "./Scanner.module.css";

const PROBLEMS: Partial<Record<CameraState, string>> = {
  denied: "The browser does not allow this page to use the camera. Allow it in the browser's settings for this site.",
  none: "No camera can be used here. Enter the codes by hand, or open this page over HTTPS on a device with a camera.",
  failed: "The QR code reader could not be loaded. Connect to the internet and start the camera again.",
};

interface Props {
  sound: boolean;
  onSound: (sound: boolean) => void;
  onCode: (code: string) => void;
}

export function Scanner({ sound, onSound, onCode }: Props) {
  const { state, video, start, stop } = useCamera(onCode);
  const problem = PROBLEMS[state];
  return (
    <section className={page.card} aria-label="Scanner">
      <div className={styles.view} hidden={state !== "on"}>
        <video ref={video} className={styles.video} aria-label="Picture of the camera" muted playsInline />
        <div className={styles.frame} aria-hidden="true" />
      </div>
      {problem && <Notice tone="warn">{problem}</Notice>}
      <div className={page.row}>
        {state === "on" ? (
          <Button variant="secondary" onClick={stop}>
            Stop the camera
          </Button>
        ) : (
          <Button
            busy={state === "starting"}
            onClick={() => {
              enableSound();
              void start();
            }}
          >
            Scan with the camera
          </Button>
        )}
        <label className={styles.sound}>
          <input
            type="checkbox"
            checked={sound}
            onChange={(event) => {
              enableSound();
              onSound(event.target.checked);
            }}
          />
          Sound
        </label>
      </div>
      <CodeForm onCode={onCode} />
    </section>
  );
}

function CodeForm({ onCode }: Pick<Props, "onCode">) {
  const [code, setCode] = useState("");
  function submit(event: FormEvent) {
    event.preventDefault();
    enableSound();
    // A code that was copied from a message may have line breaks in it.
    const text = code.replace(/\s/g, "");
    if (!text) return;
    setCode("");
    onCode(text);
  }
  return (
    <form className={styles.form} onSubmit={submit}>
      <TextField
        label="Code of a pass"
        hint="If the camera cannot read it: the buyer copies the code from the order page."
        value={code}
        onChange={(event) => setCode(event.target.value)}
        autoComplete="off"
        autoCapitalize="off"
        spellCheck={false}
        maxLength={600}
      />
      <Button type="submit" variant="secondary">
        Check the code
      </Button>
    </form>
  );
}
