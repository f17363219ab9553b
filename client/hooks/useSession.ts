/**
 * Renews the session while the page is visible, and signs the reader out here when it has ended: a session lasts 30
 * minutes, and a page can stay open for longer without a request to the server. Another device can also end it.
 */
import { useRouter } from "next/router";
import { useEffect, useEffectEvent, useRef, useState } from "react";
import { api } from "@/lib/api/browser";
import { ApiError } from "@/lib/api/errors";
import type { User } from "@/lib/api/types";
import { saveDraftsOfPage } from "@/lib/draft";
import { isSignedOutPage } from "@/lib/returnTo";
import { onSessionChange } from "@/lib/session";

/** A third of a session's lifetime: two renewals may fail before it ends. */
const RENEW_MS = 10 * 60_000;

/**
 * True when the session of this page's reader has ended; `user` was signed in when the page was rendered.
 *
 * The page is then rendered again without the session, so that it shows nothing of the account (ASVS 5.0, V14.3.1): one
 * that needs a session becomes the sign-in page, which returns here. Input of a form with `data-draft` is kept for that.
 */
export function useSessionEnded(user: User | null | undefined): boolean {
  const router = useRouter();
  /** The address at which the session ended, until the reader signs in. */
  const [endedAt, setEndedAt] = useState<string | null>(null);
  const renewedAt = useRef(0);
  const userId = user?.id;

  const renew = useEffectEvent(async () => {
    renewedAt.current = Date.now();
    try {
      const present = await api.currentUser();
      if (present === null) {
        setEndedAt(router.asPath);
        saveDraftsOfPage(router.asPath);
        forgetLoadedCheckins();
      }
      // Another tab signed in to another account, or confirmed the e-mail address: show that.
      if (present?.id !== userId || present?.emailVerified !== user?.emailVerified) {
        await router.replace(router.asPath, undefined, { scroll: false });
      }
    } catch (error) {
      // A failed request does not show whether the session has ended.
      if (!(error instanceof ApiError)) throw error;
    }
  });

  // The page of an entrance works without a session: what it keeps goes once the reader comes to sign in again.
  const signedOut = userId === undefined && isSignedOutPage(router.pathname);
  useEffect(() => {
    if (signedOut) forgetLoadedCheckins();
  }, [signedOut]);

  useEffect(() => {
    if (userId === undefined) return;
    setEndedAt(null);
    // Rendering the page has renewed the session.
    renewedAt.current = Date.now();
    const renewIfDue = () => {
      const due = Date.now() - renewedAt.current >= RENEW_MS;
      if (due && document.visibilityState === "visible") void renew();
    };
    const timer = setInterval(renewIfDue, RENEW_MS / 10);
    document.addEventListener("visibilitychange", renewIfDue);
    const leave = onSessionChange(() => void renew());
    return () => {
      clearInterval(timer);
      document.removeEventListener("visibilitychange", renewIfDue);
      leave();
    };
  }, [userId]);

  return endedAt !== null && (endedAt === router.asPath || isSignedOutPage(router.pathname));
}

/** Most readers never check passes: its code is loaded on demand. Without it there is nothing to delete, either. */
function forgetLoadedCheckins(): void {
  import("@/lib/checkin/signOut").then(
    ({ forgetLoaded }) => forgetLoaded(),
    () => {},
  );
}
