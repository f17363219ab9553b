/** Submits a form once at a time and keeps the error. If the session has ended: saves a draft and goes to the sign-in page. */
import { useRouter } from "next/router";
import { type FormEvent, useRef, useState } from "react";
import { ApiError } from "@/lib/api/errors";
import { saveDraft } from "@/lib/draft";
import { signInPath } from "@/lib/returnTo";

interface Submission {
  busy: boolean;
  error: ApiError | null;
  submit: (event: FormEvent<HTMLFormElement>) => Promise<void>;
}

interface Options {
  /** False on the sign-in form itself, where a 401 means a wrong password. */
  signInOn401?: boolean;
}

export function useFormSubmission(
  send: (data: FormData) => Promise<void>,
  { signInOn401 = true }: Options = {},
): Submission {
  const router = useRouter();
  const sending = useRef(false);
  const [busy, setBusy] = useState(false);
  const [error, setError] = useState<ApiError | null>(null);

  async function submit(event: FormEvent<HTMLFormElement>) {
    event.preventDefault();
    if (sending.current) return;
    const form = event.currentTarget;
    sending.current = true;
    setBusy(true);
    setError(null);
    try {
      await send(new FormData(form));
    } catch (failure) {
      if (!(failure instanceof ApiError)) throw failure;
      if (failure.status === 401 && signInOn401) {
        saveDraft(router.asPath, new FormData(form));
        await router.push(signInPath(router.asPath));
        return;
      }
      setError(failure);
      focusFirst(form, failure.fieldErrors);
    } finally {
      sending.current = false;
      setBusy(false);
    }
  }

  return { busy, error, submit };
}

function focusFirst(form: HTMLFormElement, errors: Record<string, string>): void {
  const invalid = [...form.elements].find((input) => (input.getAttribute("name") ?? "") in errors);
  if (invalid instanceof HTMLElement) invalid.focus();
}
