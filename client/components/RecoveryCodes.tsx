/** Recovery codes, shown once: to copy, to download, and to be put away by the reader. */
import { useEffect, useState } from "react";
import { useFocusOnShow } from "@/hooks/useFocusOnShow";
import { download } from "@/lib/download";
import styles from "@/styles/page.module.css";
import { Button } from "./Button";
import { Notice } from "./Notice";
import own from "./SecondFactor.module.css";

export function RecoveryCodes({ codes, onSaved }: { codes: string[]; onSaved: () => void }) {
  const heading = useFocusOnShow<HTMLHeadingElement>();
  const [done, setDone] = useState("");
  useEffect(() => {
    // The browser asks before it closes or reloads the page: no other page shows the codes again.
    const ask = (event: BeforeUnloadEvent) => event.preventDefault();
    window.addEventListener("beforeunload", ask);
    return () => window.removeEventListener("beforeunload", ask);
  }, []);
  const text = `${codes.join("\n")}\n`;

  async function copy() {
    try {
      await navigator.clipboard.writeText(text);
      setDone("The codes are in your clipboard.");
    } catch {
      setDone("Your browser does not allow copying. Select the codes, or download them.");
    }
  }

  return (
    <>
      <h3 ref={heading} tabIndex={-1}>
        Your recovery codes
      </h3>
      <Notice tone="warn">
        Keep them in a safe place. Each signs you in once if you do not have your app, and they are not shown again.
      </Notice>
      <ul className={own.codes} aria-label="Recovery codes">
        {codes.map((code) => (
          <li key={code}>
            <code>{code}</code>
          </li>
        ))}
      </ul>
      <div className={styles.row}>
        <Button variant="secondary" onClick={copy}>
          Copy
        </Button>
        <Button
          variant="secondary"
          onClick={() => {
            download(text, "text/plain", "ticketing-recovery-codes.txt");
            setDone("The file is in your downloads.");
          }}
        >
          Download
        </Button>
        <Button onClick={onSaved}>I have saved them</Button>
      </div>
      <p role="status">{done}</p>
    </>
  );
}
