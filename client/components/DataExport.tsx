/** Downloads the data of the account. */
import { useState } from "react";
import { useAction } from "@/hooks/useAction";
import { accountData } from "@/lib/accountExport";
import { api } from "@/lib/api/browser";
import { download } from "@/lib/download";
import styles from "@/styles/page.module.css";
import { AccountSection } from "./AccountSection";
import { Button } from "./Button";
import { ErrorNotice } from "./ErrorNotice";

export function DataExport() {
  const [done, setDone] = useState(false);
  const { busy, error, start } = useAction(async () => {
    setDone(false);
    download(JSON.stringify(await accountData(api), null, 2), "application/json", "ticketing-account.json");
    setDone(true);
  });
  return (
    <AccountSection title="Your data">
      <p>A JSON file with what we keep about your account, your listings and your orders.</p>
      <div className={styles.actions}>
        <ErrorNotice error={error} />
        <Button variant="secondary" busy={busy} onClick={start}>
          Download your data
        </Button>
        <p role="status">{done && "The file is in your downloads."}</p>
      </div>
    </AccountSection>
  );
}
