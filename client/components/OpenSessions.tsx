/** The account's open sessions; each but this one can be ended, after the password (OWASP ASVS 5.0, V7.5.2). */
import { useCallback, useEffect, useState } from "react";
import { useFormSubmission } from "@/hooks/useFormSubmission";
import { api } from "@/lib/api/browser";
import { ApiError } from "@/lib/api/errors";
import type { SessionResponse } from "@/lib/api/generated";
import type { User } from "@/lib/api/types";
import { onOthersEnded } from "@/lib/session";
import styles from "@/styles/page.module.css";
import { CurrentPasswordField, UsernameOfForm } from "./AccountFields";
import { AccountSection } from "./AccountSection";
import { Button } from "./Button";
import { FormError } from "./FormError";
import { LocalTime } from "./LocalTime";
import { Notice } from "./Notice";
import lines from "./OpenSessions.module.css";
import { SignOutButton } from "./SignOutButton";

export function OpenSessions({ user }: { user: User }) {
  const [sessions, setSessions] = useState<SessionResponse[] | null>(null);
  const [error, setError] = useState<ApiError | null>(null);
  const [chosen, setChosen] = useState<string | null>(null);
  const [ended, setEnded] = useState("");

  const load = useCallback(async (signal?: AbortSignal) => {
    setError(null);
    try {
      setSessions(await api.listSessions(signal));
    } catch (failure) {
      if (failure instanceof ApiError) setError(failure);
      else if (!signal?.aborted) throw failure;
    }
  }, []);

  useEffect(() => {
    const stop = new AbortController();
    void load(stop.signal);
    const unsubscribe = onOthersEnded(() => void load(stop.signal));
    return () => {
      unsubscribe();
      stop.abort();
    };
  }, [load]);

  async function afterEnd(session: SessionResponse) {
    setChosen(null);
    setEnded(`${nameOf(session)} is signed out.`);
    await load();
  }

  return (
    <AccountSection title="Where you are signed in">
      <p>Browsers that used your account in the last half hour. Other sessions have ended by themselves.</p>
      {error && (
        <div className={styles.actions}>
          <Notice tone="bad">{error.message}</Notice>
          <Button variant="secondary" onClick={() => load()}>
            Load the list again
          </Button>
        </div>
      )}
      {!sessions && !error && <p>Loading…</p>}
      <p role="status" className={lines.status}>
        {ended}
      </p>
      {sessions && (
        <ul className={lines.sessions}>
          {sessions.map((session) => (
            <li key={session.id} className={lines.session}>
              <div className={lines.line}>
                <div>
                  <strong>{nameOf(session)}</strong>
                  {session.current && <span className={lines.current}>This device</span>}
                  <p className={styles.count}>
                    Signed in <LocalTime iso={session.createdAt} />
                    {!session.current && (
                      <>
                        , last active about <LocalTime iso={session.renewedAt} />
                      </>
                    )}
                  </p>
                </div>
                {session.current ? (
                  <SignOutButton />
                ) : (
                  <Button
                    variant="secondary"
                    aria-expanded={chosen === session.id}
                    aria-label={`Sign out ${nameOf(session)}`}
                    onClick={() => setChosen(chosen === session.id ? null : session.id)}
                  >
                    Sign out
                  </Button>
                )}
              </div>
              {chosen === session.id && <EndSession user={user} session={session} onEnded={() => afterEnd(session)} />}
            </li>
          ))}
        </ul>
      )}
    </AccountSection>
  );
}

interface EndSessionProps {
  user: User;
  session: SessionResponse;
  onEnded: () => Promise<void>;
}

function EndSession({ user, session, onEnded }: EndSessionProps) {
  const { busy, error, submit } = useFormSubmission(async (data) => {
    try {
      await api.endSession(session.id, String(data.get("password")));
    } catch (failure) {
      // It has ended meanwhile, which is what was asked for.
      if (!(failure instanceof ApiError && failure.status === 404)) throw failure;
    }
    await onEnded();
  });
  return (
    <form className={styles.form} onSubmit={submit} noValidate>
      <FormError error={error} fields={["password"]} />
      <UsernameOfForm email={user.email} />
      <CurrentPasswordField label={`Your password, to sign out ${nameOf(session)}`} error={error} />
      <Button type="submit" variant="danger" busy={busy}>
        Sign out that device
      </Button>
    </form>
  );
}

function nameOf(session: SessionResponse): string {
  return session.device ?? "Unknown browser";
}
