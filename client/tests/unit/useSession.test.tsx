/** A session is renewed while the page is visible, and its end is reported. */
import { act, renderHook } from "@testing-library/react";
import { beforeEach, describe, expect, it, vi } from "vitest";
import { useSessionEnded } from "@/hooks/useSession";
import { api } from "@/lib/api/browser";
import { unreachable } from "@/lib/api/errors";
import { suspectSession } from "@/lib/session";
import { router, visit } from "./router";

vi.mock("@/lib/api/browser", () => ({ api: { currentUser: vi.fn() } }));
const forgetLoaded = vi.hoisted(() => vi.fn(async () => {}));
vi.mock("@/lib/checkin/signOut", () => ({ forgetLoaded }));

const currentUser = vi.mocked(api.currentUser);
const me = { id: "me", email: "me@example.com" };
const MINUTE = 60_000;

beforeEach(() => {
  vi.useFakeTimers();
  visit("/sell");
});

const pass = (ms: number) => act(() => vi.advanceTimersByTimeAsync(ms));

describe("a session", () => {
  it("that has ended leaves what this device keeps for checking passes only to its own scans", async () => {
    // The code that deletes the rest is loaded on demand: first of these tests, so that no other one has asked for it.
    vi.useRealTimers();
    const patient = { timeout: 10_000 };
    currentUser.mockResolvedValueOnce(me).mockResolvedValue(null);
    const { rerender } = renderHook(({ user }) => useSessionEnded(user), {
      initialProps: { user: me as typeof me | null },
    });
    await act(async () => suspectSession());
    expect(currentUser).toHaveBeenCalledTimes(1);
    expect(forgetLoaded).not.toHaveBeenCalled();
    await act(async () => suspectSession());
    await vi.waitFor(() => expect(forgetLoaded).toHaveBeenCalledTimes(1), patient);
    // The page of an entrance needs no session, and its reader comes to sign in later.
    visit("/signin");
    rerender({ user: null });
    await vi.waitFor(() => expect(forgetLoaded).toHaveBeenCalledTimes(2), patient);
  });

  it("is renewed well before its 30 minutes are over, as long as the page is visible", async () => {
    currentUser.mockResolvedValue(me);
    const { result } = renderHook(() => useSessionEnded(me));
    await pass(9 * MINUTE);
    expect(currentUser).not.toHaveBeenCalled();
    await pass(2 * MINUTE);
    expect(currentUser).toHaveBeenCalledTimes(1);
    await pass(50 * MINUTE);
    expect(currentUser.mock.calls.length).toBeGreaterThanOrEqual(5);
    expect(result.current).toBe(false);
  });

  it("is reported as ended only when it has ended, not without a response", async () => {
    currentUser.mockRejectedValueOnce(unreachable()).mockResolvedValue(null);
    const { result } = renderHook(() => useSessionEnded(me));
    await pass(11 * MINUTE);
    expect(result.current).toBe(false);
    await pass(11 * MINUTE);
    expect(result.current).toBe(true);
  });

  it("of another account, from another tab, reloads the page's data", async () => {
    currentUser.mockResolvedValue({ ...me, id: "other" });
    renderHook(() => useSessionEnded(me));
    await act(async () => suspectSession());
    expect(router.replace).toHaveBeenCalledWith("/sell", undefined, { scroll: false });
  });

  it("that has ended leaves nothing of the account on the page, and says so on the sign-in page", async () => {
    currentUser.mockResolvedValue(null);
    const { result, rerender } = renderHook(({ user }) => useSessionEnded(user), {
      initialProps: { user: me as typeof me | null },
    });
    await act(async () => suspectSession());
    // The server renders the page without the session: this one becomes the sign-in page.
    expect(router.replace).toHaveBeenCalledWith("/sell", undefined, { scroll: false });
    visit("/signin?returnTo=%2Fsell");
    rerender({ user: null });
    expect(result.current).toBe(true);

    visit("/");
    rerender({ user: null });
    expect(result.current).toBe(false);
    visit("/sell");
    rerender({ user: me });
    expect(result.current).toBe(false);
  });

  it("that has ended keeps what was entered, without passwords", async () => {
    currentUser.mockResolvedValue(null);
    document.body.innerHTML = `
      <form data-draft><input name="title" value="Concert"></form>
      <form><input name="email" value="ann@example.com"><input name="newPassword" value="secret"></form>`;
    renderHook(() => useSessionEnded(me));
    await act(async () => suspectSession());
    expect(Object.entries(sessionStorage)).toEqual([["draft:/sell", '{"title":"Concert"}']]);
  });

  it("whose e-mail address was confirmed in another tab reloads the page's data", async () => {
    currentUser.mockResolvedValue({ ...me, emailVerified: true });
    renderHook(() => useSessionEnded({ ...me, emailVerified: false }));
    await act(async () => suspectSession());
    expect(router.replace).toHaveBeenCalledTimes(1);
  });

  it("is not requested while signed out", async () => {
    renderHook(() => useSessionEnded(null));
    await pass(60 * MINUTE);
    expect(currentUser).not.toHaveBeenCalled();
  });
});
