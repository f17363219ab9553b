/**
 * Renews the session while the page is visible, and reports its end: a session lasts 30 minutes, and a page can stay
 * open for longer without a request to the server.
 */
import { useRouter } from "next/router";
import { useCallback, useEffect, useRef, useState } from "react";
import { api } from "@/lib/api/browser";
import { ApiError } from "@/lib/api/errors";
import type { User } from "@/lib/api/types";
import { onSessionChange } from "@/lib/session";

/** A third of a session's lifetime: two renewals may fail before it ends. */
const RENEW_MS = 10 * 60_000;

/** True when the reader was signed in and no longer is. `user` was signed in when the page was rendered. */
export function useSessionEnded(user: User | null | undefined): boolean {
  const router = useRouter();
  const [ended, setEnded] = useState(false);
  const renewedAt = useRef(0);
  const userId = user?.id;

  const renew = useCallback(async () => {
    renewedAt.current = Date.now();
    try {
      const { body } = await api.currentUser();
      if (body && body.id !== userId) {
        // Another account signed in, in another tab: show its data.
        await router.replace(router.asPath, undefined, { scroll: false });
      } else {
        setEnded(body === null);
      }
    } catch (error) {
      // A failed request does not show whether the session has ended.
      if (!(error instanceof ApiError)) throw error;
    }
  }, [router, userId]);
  const latest = useRef(renew);
  useEffect(() => {
    latest.current = renew;
  });

  useEffect(() => {
    setEnded(false);
    if (userId === undefined) return;
    // Rendering the page has renewed the session.
    renewedAt.current = Date.now();
    const renewIfDue = () => {
      const due = Date.now() - renewedAt.current >= RENEW_MS;
      if (due && document.visibilityState === "visible") void latest.current();
    };
    const timer = setInterval(renewIfDue, RENEW_MS / 10);
    document.addEventListener("visibilitychange", renewIfDue);
    const leave = onSessionChange(() => void latest.current());
    return () => {
      clearInterval(timer);
      document.removeEventListener("visibilitychange", renewIfDue);
      leave();
    };
  }, [userId]);

  return ended;
}
