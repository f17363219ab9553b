/**
 * A form that is sent once at a time. After a refused submission, its fields show the messages about them, the first of
 * these fields gets the focus, and `FormError` shows the rest. If the session has ended: saves a draft and goes to the
 * sign-in page.
 */
import { useRouter } from "next/router";
import { type ComponentProps, createContext, useContext, useState } from "react";
import { useAction } from "@/hooks/useAction";
import { ApiError } from "@/lib/api/errors";
import { saveDraft } from "@/lib/draft";
import { signInPath } from "@/lib/returnTo";
import { Button } from "./Button";
import { ErrorNotice } from "./ErrorNotice";

interface Submission {
  busy: boolean;
  /** The error of the last submission. */
  error: ApiError | null;
  /** The names of the fields, which show their own errors. */
  fields: string[];
}

const Context = createContext<Submission>({ busy: false, error: null, fields: [] });

/** The state of the form around the component. */
export function useSubmission(): Submission {
  return useContext(Context);
}

interface Props extends Omit<ComponentProps<"form">, "onSubmit" | "noValidate"> {
  /** May reject with an ApiError. */
  send: (data: FormData) => Promise<void>;
  /** False where the reader need not be signed in: a 401 means a wrong password there. */
  signInOn401?: boolean;
}

export function Form({ send, signInOn401 = true, ...rest }: Props) {
  const router = useRouter();
  const [fields, setFields] = useState<string[]>([]);
  const { busy, error, start } = useAction(async (form: HTMLFormElement) => {
    try {
      await send(new FormData(form));
    } catch (failure) {
      if (!(failure instanceof ApiError)) throw failure;
      if (failure.status === 401 && signInOn401) {
        saveDraft(router.asPath, new FormData(form));
        await router.push(signInPath(router.asPath));
        return;
      }
      const named = [...form.querySelectorAll<HTMLElement>("[name]")];
      named.find((field) => nameOf(field) in failure.fieldErrors)?.focus();
      setFields(named.map(nameOf));
      throw failure;
    }
  });
  return (
    <Context value={{ busy, error, fields }}>
      <form
        {...rest}
        noValidate
        onSubmit={(event) => {
          event.preventDefault();
          void start(event.currentTarget);
        }}
      />
    </Context>
  );
}

function nameOf(field: HTMLElement): string {
  return field.getAttribute("name") ?? "";
}

/** The errors of the last submission that no field shows. */
export function FormError() {
  const { error, fields } = useSubmission();
  return <ErrorNotice error={error} fields={fields} />;
}

export function SubmitButton(props: Omit<ComponentProps<typeof Button>, "type" | "busy">) {
  return <Button {...props} type="submit" busy={useSubmission().busy} />;
}
