/** Sign-in in two steps: setting up an authenticator app, recovery codes, and turning it off. */
import { useState } from "react";
import { useFocusOnShow } from "@/hooks/useFocusOnShow";
import { useLoaded } from "@/hooks/useLoaded";
import { api } from "@/lib/api/browser";
import type { EnrolmentResponse, SecondFactorResponse } from "@/lib/api/generated";
import type { User } from "@/lib/api/types";
import { reportOthersEnded } from "@/lib/session";
import styles from "@/styles/page.module.css";
import { CodeField } from "./AccountFields";
import { AccountSection } from "./AccountSection";
import { Button } from "./Button";
import { Form, FormError, SubmitButton } from "./Form";
import { LoadState } from "./LoadState";
import { LocalTime } from "./LocalTime";
import { Notice } from "./Notice";
import { PasswordForm } from "./PasswordForm";
import { RecoveryCodes } from "./RecoveryCodes";
import own from "./SecondFactor.module.css";

/** Fewer recovery codes than this are a reason for new ones. */
const FEW_CODES = 4;

export function SecondFactor({ user }: { user: User }) {
  const loaded = useLoaded(api.getSecondFactor);
  const { result: factor, load } = loaded;
  const [enrolment, setEnrolment] = useState<EnrolmentResponse | null>(null);
  const [codes, setCodes] = useState<string[] | null>(null);
  const [done, setDone] = useState("");
  /** After the first change, what replaces the pressed button takes the focus. */
  const [changed, setChanged] = useState(false);

  async function show(newCodes: string[], what: string) {
    setEnrolment(null);
    setCodes(newCodes);
    setChanged(true);
    setDone(what);
    reportOthersEnded();
    await load();
  }

  return (
    <AccountSection title="Sign-in in two steps">
      <LoadState of={loaded} again="Load again" />
      <p role="status">{done}</p>
      {codes && <RecoveryCodes codes={codes} onSaved={() => setCodes(null)} />}
      {!codes && factor?.state === "on" && (
        <TurnedOn
          user={user}
          factor={factor}
          takesFocus={changed}
          onReplaced={(replaced) => show(replaced, "Your former recovery codes no longer work.")}
          onOff={async () => {
            setDone("It is off: your password alone signs in. Every other session of your account has ended.");
            reportOthersEnded();
            await load();
            setChanged(true);
          }}
        />
      )}
      {!codes && factor?.state === "off" && !enrolment && (
        <TurnedOff
          user={user}
          takesFocus={changed}
          onBegun={(begun) => {
            setDone("");
            setChanged(true);
            setEnrolment(begun);
          }}
        />
      )}
      {enrolment && (
        <Enrolment
          enrolment={enrolment}
          onConfirmed={(first) => show(first, "It is on. Every other session of your account has ended.")}
          onStop={() => setEnrolment(null)}
        />
      )}
    </AccountSection>
  );
}

interface TurnedOffProps {
  user: User;
  takesFocus: boolean;
  onBegun: (enrolment: EnrolmentResponse) => void;
}

function TurnedOff({ user, takesFocus, onBegun }: TurnedOffProps) {
  const text = useFocusOnShow<HTMLParagraphElement>(takesFocus);
  const [open, setOpen] = useState(false);
  return (
    <>
      <p ref={text} tabIndex={-1}>
        Off. When it is on, each sign-in asks for a code of an authenticator app after your password. Then your password
        alone is not enough for another person.
      </p>
      <div className={styles.row}>
        <Button variant="secondary" aria-expanded={open} onClick={() => setOpen(!open)}>
          Set it up
        </Button>
      </div>
      {open && (
        <PasswordForm
          user={user}
          label="Your password, to set it up"
          submitLabel="Show the key"
          send={async (password) => onBegun(await api.enrolSecondFactor(password))}
        />
      )}
    </>
  );
}

interface EnrolmentProps {
  enrolment: EnrolmentResponse;
  onConfirmed: (codes: string[]) => Promise<void>;
  onStop: () => void;
}

function Enrolment({ enrolment, onConfirmed, onStop }: EnrolmentProps) {
  const text = useFocusOnShow<HTMLParagraphElement>();
  return (
    <>
      <p ref={text} tabIndex={-1}>
        Scan this with your authenticator app, within ten minutes. Then enter the code that the app shows.
      </p>
      {/* The service draws it; an image optimiser has nothing to do on an SVG. */}
      {/* biome-ignore lint/performance/noImgElement: see above */}
      <img
        className={own.qr}
        src={enrolment.qrCode}
        alt="QR code for your authenticator app"
        width={220}
        height={220}
      />
      <p>
        Or enter this key in the app:
        <code className={own.secret}>{enrolment.secret.match(/.{1,4}/g)?.join(" ")}</code>
      </p>
      <Form
        className={styles.form}
        send={async (data) => onConfirmed(await api.confirmSecondFactor(String(data.get("code"))))}
      >
        <FormError />
        <CodeField />
        <div className={styles.row}>
          <SubmitButton>Turn it on</SubmitButton>
          <Button variant="secondary" onClick={onStop}>
            Cancel
          </Button>
        </div>
      </Form>
    </>
  );
}

interface TurnedOnProps {
  user: User;
  factor: SecondFactorResponse;
  takesFocus: boolean;
  onReplaced: (codes: string[]) => Promise<void>;
  onOff: () => Promise<void>;
}

function TurnedOn({ user, factor, takesFocus, onReplaced, onOff }: TurnedOnProps) {
  const text = useFocusOnShow<HTMLParagraphElement>(takesFocus);
  const [chosen, setChosen] = useState<"codes" | "off" | null>(null);
  const left = factor.recoveryCodesLeft;
  const toggle = (change: "codes" | "off") => ({
    variant: "secondary" as const,
    "aria-expanded": chosen === change,
    onClick: () => setChosen(chosen === change ? null : change),
  });
  const form = { user, label: "Your password, for this change", code: true };
  return (
    <>
      <p ref={text} tabIndex={-1}>
        On
        {factor.enabledAt && (
          <>
            {" "}
            since <LocalTime iso={factor.enabledAt} />
          </>
        )}
        . Recovery codes left: {left}.
      </p>
      {left < FEW_CODES && <Notice tone="warn">Get new recovery codes before the last one is used.</Notice>}
      <div className={styles.row}>
        <Button {...toggle("codes")}>New recovery codes</Button>
        <Button {...toggle("off")}>Turn it off</Button>
      </div>
      {chosen === "codes" && (
        <PasswordForm
          {...form}
          key="codes"
          submitLabel="Replace my recovery codes"
          send={async (password, code) => onReplaced(await api.replaceRecoveryCodes(password, code))}
        />
      )}
      {chosen === "off" && (
        <PasswordForm
          {...form}
          key="off"
          submitLabel="Turn off sign-in in two steps"
          danger
          send={async (password, code) => {
            await api.turnOffSecondFactor(password, code);
            await onOff();
          }}
        />
      )}
    </>
  );
}
