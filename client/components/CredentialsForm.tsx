/** E-mail and password, for signing in and for signing up. */
import { useRouter } from "next/router";
import { useEffect, useRef, useState } from "react";
import { api } from "@/lib/api/browser";
import { ApiError } from "@/lib/api/errors";
import type { SignInRequest } from "@/lib/api/generated";
import { safeReturnPath } from "@/lib/returnTo";
import { announceSession, announceSignUp } from "@/lib/session";
import styles from "@/styles/page.module.css";
import { CodeField, CurrentPasswordField, EmailField, NewPasswordField } from "./AccountFields";
import { Form, FormError, SubmitButton } from "./Form";
import { Notice } from "./Notice";
import { PageLink } from "./PageLink";
import { PageTitle } from "./PageTitle";

const TEXTS = {
  signin: {
    title: "Sign in",
    question: "New here?",
    other: "Create an account",
    otherPath: "/signup",
  },
  signup: {
    title: "Create an account",
    question: "Already have an account?",
    other: "Sign in",
    otherPath: "/signin",
  },
} as const;

interface Props {
  kind: keyof typeof TEXTS;
  returnTo: string;
  /** What the reader has just done, for example set a new password. */
  done?: string | undefined;
}

export function CredentialsForm({ kind, returnTo, done }: Props) {
  const router = useRouter();
  const text = TEXTS[kind];
  const PasswordField = kind === "signin" ? CurrentPasswordField : NewPasswordField;
  const [asksForCode, setAsksForCode] = useState(false);
  const form = useRef<HTMLFormElement>(null);
  const asked = useRef(false);
  useEffect(() => {
    // Each step replaces the other, and with it the element that had the focus.
    asked.current ||= asksForCode;
    const first = asksForCode ? "code" : "email";
    if (asked.current) form.current?.querySelector<HTMLInputElement>(`input[name=${first}]`)?.focus();
  }, [asksForCode]);

  async function send(data: FormData) {
    const credentials = { email: String(data.get("email")), password: String(data.get("password")) };
    if (kind === "signin") {
      if (!(await signIn({ ...credentials, ...(data.has("code") && { code: String(data.get("code")) }) }))) return;
    } else announceSignUp((await api.signUp(credentials)).id);
    announceSession();
    await router.replace(safeReturnPath(returnTo));
  }

  /** False if the account also asks for a code, which the form then shows. */
  async function signIn(credentials: SignInRequest): Promise<boolean> {
    try {
      await api.signIn(credentials);
      return true;
    } catch (failure) {
      if (!(failure instanceof ApiError)) throw failure;
      if (failure.needsCode && !credentials.code) {
        setAsksForCode(true);
        return false;
      }
      // The password is wrong after all: it was changed meanwhile.
      if (failure.status === 401 && !failure.needsCode) setAsksForCode(false);
      throw failure;
    }
  }

  const query = returnTo === "/" ? "" : `?returnTo=${encodeURIComponent(returnTo)}`;

  return (
    <div className={styles.narrow}>
      <PageTitle>{text.title}</PageTitle>
      <Form className={styles.card} send={send} signInOn401={false} ref={form}>
        <div>
          <h1>{text.title}</h1>
          {returnTo !== "/" && <p className={styles.lead}>You then return to the page you came from.</p>}
        </div>
        {done && <Notice tone="good">{done}</Notice>}
        <FormError />
        {/* Hidden fields keep their values, and are sent with the code. */}
        <div className={asksForCode ? undefined : styles.form} hidden={asksForCode}>
          <EmailField />
          <PasswordField label="Password" />
          {kind === "signin" && (
            <p>
              <PageLink href="/forgot-password">Forgot your password?</PageLink>
            </p>
          )}
        </div>
        {asksForCode && (
          <>
            <CodeField recovery />
            <p>
              <button type="button" className={styles.link} onClick={() => setAsksForCode(false)}>
                Use another account
              </button>
            </p>
          </>
        )}
        <SubmitButton wide>{text.title}</SubmitButton>
        <p>
          {text.question} <PageLink href={text.otherPath + query}>{text.other}</PageLink>
        </p>
      </Form>
    </div>
  );
}
