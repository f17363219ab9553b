/**
 * Keeps the session alive while somebody is there, and tells when it is not: a session lasts half an hour, and a page
 * can stay open for longer without asking the server for anything.
 */
import { useRouter } from "next/router";
import { useCallback, useEffect, useRef, useState } from "react";
import { api } from "@/lib/api/browser";
import { ApiError } from "@/lib/api/errors";
import type { User } from "@/lib/api/types";
import { onSessionNews } from "@/lib/session";

/** A third of a session: two renewals may fail before it ends. */
const RENEW_MS = 10 * 60_000;

/** True when the reader was signed in and no longer is. `user` is who was signed in when the page was rendered. */
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
        // Somebody else signed in, in another tab: show what is theirs.
        await router.replace(router.asPath, undefined, { scroll: false });
      } else {
        setEnded(body === null);
      }
    } catch (error) {
      // No answer says nothing about the session.
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
    // The page itself was rendered with a renewed session.
    renewedAt.current = Date.now();
    const renewIfDue = () => {
      const due = Date.now() - renewedAt.current >= RENEW_MS;
      if (due && document.visibilityState === "visible") void latest.current();
    };
    const timer = setInterval(renewIfDue, RENEW_MS / 10);
    document.addEventListener("visibilitychange", renewIfDue);
    const leave = onSessionNews(() => void latest.current());
    return () => {
      clearInterval(timer);
      document.removeEventListener("visibilitychange", renewIfDue);
      leave();
    };
  }, [userId]);

  return ended;
}
