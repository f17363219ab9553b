/** The account's open sessions; each but this one can be ended, after the password (OWASP ASVS 5.0, V7.5.2). */
import { useEffect, useState } from "react";
import { useLoaded } from "@/hooks/useLoaded";
import { api } from "@/lib/api/browser";
import { ApiError } from "@/lib/api/errors";
import type { SessionResponse } from "@/lib/api/generated";
import type { User } from "@/lib/api/types";
import { onOthersEnded } from "@/lib/session";
import styles from "@/styles/page.module.css";
import { AccountSection } from "./AccountSection";
import { Button } from "./Button";
import { LoadState } from "./LoadState";
import { LocalTime } from "./LocalTime";
import lines from "./OpenSessions.module.css";
import { PasswordForm } from "./PasswordForm";
import { SignOutButton } from "./SignOutButton";

export function OpenSessions({ user }: { user: User }) {
  const sessions = useLoaded(api.listSessions);
  const { load } = sessions;
  const [chosen, setChosen] = useState<string | null>(null);
  const [ended, setEnded] = useState("");

  useEffect(() => onOthersEnded(() => void load()), [load]);

  async function end(session: SessionResponse, password: string) {
    try {
      await api.endSession(session.id, password);
    } catch (failure) {
      // It has ended meanwhile, which is what was asked for.
      if (!(failure instanceof ApiError && failure.status === 404)) throw failure;
    }
    setChosen(null);
    setEnded(`${nameOf(session)} is signed out.`);
    await load();
  }

  return (
    <AccountSection title="Where you are signed in">
      <p>Browsers that used your account in the last half hour. Other sessions have ended by themselves.</p>
      <LoadState of={sessions} again="Load the list again" />
      <p role="status">{ended}</p>
      {sessions.result && (
        <ul className={lines.sessions}>
          {sessions.result.map((session) => (
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
              {chosen === session.id && (
                <PasswordForm
                  user={user}
                  label={`Your password, to sign out ${nameOf(session)}`}
                  submitLabel="Sign out that device"
                  danger
                  send={(password) => end(session, password)}
                />
              )}
            </li>
          ))}
        </ul>
      )}
    </AccountSection>
  );
}

function nameOf(session: SessionResponse): string {
  return session.device ?? "Unknown browser";
}
