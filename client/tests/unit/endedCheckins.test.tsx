/** A session that ends without a sign-out deletes what a device keeps for checking passes, except its own scans. */
import { act, renderHook } from "@testing-library/react";
import { expect, it, vi } from "vitest";
import { useSessionEnded } from "@/hooks/useSession";
import { api } from "@/lib/api/browser";
import { suspectSession } from "@/lib/session";

const forgetLoaded = vi.hoisted(() => vi.fn(async () => {}));
vi.mock("@/lib/checkin/signOut", () => ({ forgetLoaded }));
vi.mock("@/lib/api/browser", () => ({ api: { currentUser: vi.fn() } }));
const router = vi.hoisted(() => ({ asPath: "/sell", pathname: "/sell", replace: vi.fn(async () => true) }));
vi.mock("next/router", () => ({ useRouter: () => router }));

const currentUser = vi.mocked(api.currentUser);
const me = { id: "me", email: "me@example.com" };
const PATIENT = { timeout: 10_000 };
vi.setConfig({ testTimeout: 30_000 });

it("on a page that notices the end, and on the sign-in page", async () => {
  const headers = new Headers();
  currentUser.mockResolvedValueOnce({ body: me, headers }).mockResolvedValue({ body: null, headers });
  const { rerender } = renderHook(({ user }) => useSessionEnded(user), {
    initialProps: { user: me as typeof me | null },
  });
  await act(async () => suspectSession());
  expect(currentUser).toHaveBeenCalledTimes(1);
  expect(forgetLoaded).not.toHaveBeenCalled();
  await act(async () => suspectSession());
  await vi.waitFor(() => expect(forgetLoaded).toHaveBeenCalledTimes(1), PATIENT);
  // The page of an entrance needs no session, and its reader comes to sign in later.
  Object.assign(router, { asPath: "/signin", pathname: "/signin" });
  rerender({ user: null });
  await vi.waitFor(() => expect(forgetLoaded).toHaveBeenCalledTimes(2), PATIENT);
});
