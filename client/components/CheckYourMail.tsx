/** Says that a mail is on its way, and where to look for it. */
import type { ReactNode } from "react";
import { useFocusOnShow } from "@/hooks/useFocusOnShow";
import styles from "@/styles/page.module.css";
import { SendAgain } from "./SendAgain";

interface Props {
  children: ReactNode;
  send: () => Promise<void>;
}

export function CheckYourMail({ children, send }: Props) {
  const heading = useFocusOnShow<HTMLHeadingElement>();
  return (
    <>
      <h1 ref={heading} tabIndex={-1}>
        Check your mail
      </h1>
      {children}
      <p className={styles.lead}>Nothing there after a minute? Look in your spam folder, or send it again.</p>
      <SendAgain label="Send the mail again" sent="We have sent it again." send={send} />
    </>
  );
}
