/** The forms and buttons of the account page. */
import "fake-indexeddb/auto";
import { act, fireEvent, render, screen, waitFor } from "@testing-library/react";
import { beforeEach, describe, expect, it, vi } from "vitest";
import { ChangePasswordForm } from "@/components/ChangePasswordForm";
import { DataExport } from "@/components/DataExport";
import { DeleteAccountForm } from "@/components/DeleteAccountForm";
import { EmailState } from "@/components/EmailState";
import { OpenSessions } from "@/components/OpenSessions";
import { SignOutButton } from "@/components/SignOutButton";
import { SignOutEverywhere } from "@/components/SignOutEverywhere";
import { accountData } from "@/lib/accountExport";
import { api } from "@/lib/api/browser";
import { countUnsent } from "@/lib/checkin/signOut";
import { admit, recordScan } from "@/lib/checkin/store";
import { json, network, problem } from "./fetched";
import { router, visit } from "./router";

beforeEach(() => visit("/account"));

const USER = { id: "1", email: "ann@example.com", emailVerified: false };
const input = (label: string) => screen.getByLabelText<HTMLInputElement>(label);
const type = (label: string, value: string) => fireEvent.input(input(label), { target: { value } });
const press = (name: string) => fireEvent.click(screen.getByRole("button", { name }));

describe("the form for a new password", () => {
  function change() {
    render(<ChangePasswordForm user={USER} />);
    type("Current password", "old secret");
    type("New password", "new secret");
    press("Change the password");
  }

  it("sends both passwords, says what has ended, and keeps neither", async () => {
    const sent = network({ "PUT /api/users/password": () => json({}) });
    change();
    expect(await screen.findByText(/Every other session of your account has ended/)).toBeDefined();
    const body = { currentPassword: "old secret", password: "new secret" };
    expect(sent).toEqual([{ call: "PUT /api/users/password", body }]);
    expect([input("Current password").value, input("New password").value]).toEqual(["", ""]);
  });

  it("names the current password if that is wrong", async () => {
    const errors = [{ field: "currentPassword", message: "The present password is wrong." }];
    network({ "PUT /api/users/password": () => problem(403, "Wrong password", { errors }) });
    change();
    const error = await screen.findByText("The present password is wrong.");
    expect(input("Current password").getAttribute("aria-describedby")).toBe(error.id);
    await waitFor(() => expect(document.activeElement).toBe(input("Current password")));
    expect(router.push).not.toHaveBeenCalled();
  });

  it("says how many fields are wrong, if several are", async () => {
    const errors = ["currentPassword", "password"].map((field) => ({ field, message: "This must not be empty" }));
    network({ "PUT /api/users/password": () => problem(422, "Invalid", { errors }) });
    change();
    expect((await screen.findByRole("alert")).textContent).toBe("Please check the 2 marked fields.");
    await waitFor(() => expect(document.activeElement).toBe(input("Current password")));
  });

  it("goes to the sign-in page if the session has ended, and keeps no password", async () => {
    network({ "PUT /api/users/password": () => problem(401, "Sign in first.") });
    change();
    await waitFor(() => expect(router.push).toHaveBeenCalledWith("/signin?returnTo=%2Faccount"));
    expect(JSON.stringify(Object.entries(sessionStorage))).not.toContain("secret");
  });

  it("tells password managers which account it is for", () => {
    render(<ChangePasswordForm user={USER} />);
    const completions = [...document.querySelectorAll("input")].map(({ autocomplete }) => autocomplete);
    expect(completions).toEqual(["username", "current-password", "new-password"]);
    expect(document.querySelector<HTMLInputElement>("[autocomplete=username]")?.value).toBe(USER.email);
  });
});

describe("the list of open sessions", () => {
  const times = {
    createdAt: "2026-11-29T12:00:00Z",
    renewedAt: "2026-11-29T12:10:00Z",
    expiresAt: "2026-11-29T12:40:00Z",
  };
  const here = { id: "a1", device: "Firefox on Linux", current: true, ...times };
  const phone = { id: "b2", device: "Safari on iPhone", current: false, ...times };
  const unknown = { id: "c3", device: null, current: false, ...times };

  it("says which one is this device, and ends another one after the password", async () => {
    let open = [here, phone, unknown];
    const sent = network({
      "GET /api/users/sessions": () => json(open),
      "DELETE /api/users/sessions/b2": () => {
        open = [here, unknown];
        return new Response(null, { status: 204 });
      },
    });
    render(<OpenSessions user={USER} />);
    expect((await screen.findByText("This device")).closest("li")?.textContent).toContain("Firefox on Linux");
    expect(screen.getByText("Unknown browser")).toBeDefined();

    press("Sign out Safari on iPhone");
    type("Your password, to sign out Safari on iPhone", "secret");
    press("Sign out that device");

    expect(await screen.findByText("Safari on iPhone is signed out.")).toBeDefined();
    await waitFor(() => expect(screen.queryByText("Safari on iPhone")).toBeNull());
    expect(sent).toContainEqual({ call: "DELETE /api/users/sessions/b2", body: { password: "secret" } });
  });

  it("leaves out what a change of the password has ended", async () => {
    const lists = [[here, phone], [here]];
    network({ "GET /api/users/sessions": () => json(lists.shift()), "PUT /api/users/password": () => json({}) });
    render(<OpenSessions user={USER} />);
    await screen.findByText("Safari on iPhone");
    render(<ChangePasswordForm user={USER} />);
    press("Change the password");
    await waitFor(() => expect(screen.queryByText("Safari on iPhone")).toBeNull());
  });

  it("counts one that has ended meanwhile as signed out", async () => {
    network({
      "GET /api/users/sessions": () => json([here, phone]),
      "DELETE /api/users/sessions/b2": () => problem(404, "Not found"),
    });
    render(<OpenSessions user={USER} />);
    await screen.findByText("Safari on iPhone");
    press("Sign out Safari on iPhone");
    type("Your password, to sign out Safari on iPhone", "secret");
    press("Sign out that device");
    expect(await screen.findByText("Safari on iPhone is signed out.")).toBeDefined();
  });
});

describe("an address that is not confirmed", () => {
  it("gets another mail once the wait that the server asks for is over", async () => {
    vi.useFakeTimers();
    const wait = { "retry-after": "42" };
    const sent = network({ "POST /api/users/verification": () => problem(429, "Too many requests.", {}, wait) });
    render(<EmailState user={USER} />);
    const again = screen.getByRole("button", { name: "Send a new link" });
    await act(async () => fireEvent.click(again));
    expect(screen.getByText("Try again in 42 seconds.")).toBeDefined();
    expect(again.getAttribute("aria-disabled")).toBe("true");
    await act(async () => fireEvent.click(again));
    expect(sent).toHaveLength(1);

    await act(() => vi.advanceTimersByTimeAsync(41_000));
    expect(screen.getByText("Try again in 1 second.")).toBeDefined();
    await act(() => vi.advanceTimersByTimeAsync(1_000));
    expect(again.getAttribute("aria-disabled")).toBeNull();
    await act(async () => fireEvent.click(again));
    expect(sent).toHaveLength(2);
  });

  it.each([
    [true, "Confirmed"],
    [false, "Not confirmed"],
  ])("is shown: emailVerified %j is %j", (emailVerified, text) => {
    render(<EmailState user={{ ...USER, emailVerified }} />);
    expect(screen.getByText(text)).toBeDefined();
    expect(screen.queryAllByRole("button", { name: "Send a new link" })).toHaveLength(emailVerified ? 0 : 1);
  });

  it("is not claimed while auth is of the version before", () => {
    render(<EmailState user={{ id: "1", email: "ann@example.com" }} />);
    expect(screen.queryByText(/confirmed/i)).toBeNull();
    expect(screen.queryByRole("button")).toBeNull();
  });
});

it.each([
  ["Sign out", "POST /api/users/signout", <SignOutButton key="one" />],
  ["Sign out everywhere", "POST /api/users/signout-everywhere", <SignOutEverywhere key="two" />],
  ["Delete my account", "DELETE /api/users/me", <DeleteAccountForm key="three" user={USER} />],
])(
  "“%s” asks before unsent admissions of this device are lost, and then deletes them",
  async (label, call, element) => {
    const scan = { passId: "p", ticketId: "t", userId: "1", seat: 1, code: "c", idempotencyKey: "k", scannedAt: 1 };
    await recordScan({ ...scan, admittedAt: null, state: "waiting", refusal: null });
    await admit("p", 2);
    const sent = network({ [call]: () => json({}) });
    render(element);
    press(label);
    const again = await screen.findByRole("button", { name: `${label} and lose 1 unsent scan` });
    expect(sent).toEqual([]);
    expect(await countUnsent()).toBe(1);
    fireEvent.click(again);
    await waitFor(async () => expect(await countUnsent()).toBe(0));
    expect(sent.map((request) => request.call)).toEqual([call]);
    await waitFor(() => expect(router.replace.mock.calls.length + router.push.mock.calls.length).toBe(1));
  },
);

describe("the download", () => {
  const page = (items: object[], cursor?: string) => {
    const link = cursor ? { link: `</api/orders?limit=100&cursor=${cursor}>; rel="next"` } : undefined;
    return new Response(JSON.stringify(items), { headers: { "content-type": "application/json", ...link } });
  };

  it("has every page of every list", async () => {
    network({
      "GET /api/users/me/export": () => json({ account: USER }),
      "GET /api/tickets/mine?limit=100": () => page([]),
      "GET /api/orders?limit=100": () => page([{ id: "o1" }], "next"),
      "GET /api/orders?limit=100&cursor=next": () => page([{ id: "o2" }]),
    });
    expect(await accountData(api)).toEqual({
      account: { account: USER },
      listings: [],
      orders: [{ id: "o1" }, { id: "o2" }],
    });
  });

  it("is no file while a service does not respond", async () => {
    network({
      "GET /api/users/me/export": () => json({ account: USER }),
      "GET /api/tickets/mine?limit=100": () => page([]),
      "GET /api/orders?limit=100": () => problem(403, "Refused."),
    });
    render(<DataExport />);
    press("Download your data");
    expect((await screen.findByRole("alert")).textContent).toBe("Refused.");
    expect(screen.getByRole("status").textContent).toBe("");
  });
});

describe("deleting the account", () => {
  function remove() {
    render(<DeleteAccountForm user={USER} />);
    type("Your password", "secret");
    press("Delete my account");
  }

  it.each([
    [{ holds: 2, sales: 0 }, "There are unpaid orders of yours, or of tickets that you sell (orders: 2)", ["/orders"]],
    [{ holds: 0, sales: 1 }, "You have sold tickets for events to come (orders: 1)", ["/listings"]],
    [{ holds: 1, sales: 3 }, "events to come (orders: 3)", ["/orders", "/listings"]],
    [{}, "The account is in use.", []],
  ])("is refused with its reason and where to find it: %j", async (members, text, paths) => {
    network({ "DELETE /api/users/me": () => problem(409, "The account is in use.", members) });
    remove();
    const alert = await screen.findByRole("alert");
    expect(alert.textContent).toContain(text);
    const links = [...alert.querySelectorAll("a")].map((link) => link.getAttribute("href"));
    expect(links).toEqual(paths);
  });
});
