/** Sign-in in two steps: the section of the account page, and the second step of the sign-in form. */
import { fireEvent, render, screen, waitFor } from "@testing-library/react";
import { describe, expect, it, vi } from "vitest";
import { CredentialsForm } from "@/components/CredentialsForm";
import { SecondFactor } from "@/components/SecondFactor";
import { saveDraft } from "@/lib/draft";
import { json, network, problem } from "./fetched";
import { router } from "./router";

const USER = { id: "1", email: "ann@example.com", emailVerified: true };
const OFF = { state: "off", enabledAt: null, recoveryCodesLeft: 0 };
const ON = { state: "on", enabledAt: "2026-11-29T12:00:00Z", recoveryCodesLeft: 10 };
const CODES = ["ABCD-EFGH", "IJKL-MNOP"];
const type = (label: string, value: string) => fireEvent.input(screen.getByLabelText(label), { target: { value } });
const press = async (name: string) => {
  const button = await screen.findByRole("button", { name });
  // While the last submission runs, the button ignores presses.
  await waitFor(() => expect(button.getAttribute("aria-busy")).toBeNull());
  fireEvent.click(button);
};

/** Whether the browser asks before it leaves the page. */
const asksBeforeLeaving = () => !window.dispatchEvent(new Event("beforeunload", { cancelable: true }));

describe("the section of the account page", () => {
  it("sets an app up after the password, and shows the recovery codes once", async () => {
    let factor: object = OFF;
    const errors = [{ field: "code", message: "The code is wrong." }];
    let confirm = () => problem(403, "The code is wrong.", { errors });
    const sent = network({
      "GET /api/users/second-factor": () => json(factor),
      "POST /api/users/second-factor": () =>
        json({ secret: "ABCDEFGH", uri: "otpauth://totp/x", qrCode: "data:image/svg+xml,x", expiresAt: "" }),
      "POST /api/users/second-factor/confirm": () => confirm(),
    });
    render(<SecondFactor user={USER} />);
    await press("Set it up");
    type("Your password, to set it up", "secret");
    await press("Show the key");
    expect(await screen.findByText("ABCD EFGH")).toBeDefined();
    await waitFor(() => expect(document.activeElement).toBe(screen.getByText(/Scan this/)));
    await press("Cancel");
    expect(document.activeElement).toBe(screen.getByText(/^Off\./));
    await press("Set it up");
    type("Your password, to set it up", "secret");
    await press("Show the key");
    await screen.findByText("ABCD EFGH");
    expect(screen.getByRole<HTMLImageElement>("img").src).toBe("data:image/svg+xml,x");

    type("Code", "000000");
    await press("Turn it on");
    await waitFor(() => expect(document.activeElement).toBe(screen.getByLabelText("Code")));
    expect(screen.getByText("The code is wrong.")).toBeDefined();

    confirm = () => json({ recoveryCodes: CODES });
    factor = ON;
    type("Code", "123456");
    await press("Turn it on");
    const heading = await screen.findByRole("heading", { name: "Your recovery codes" });
    expect(document.activeElement).toBe(heading);
    expect(screen.getAllByRole("listitem").map((line) => line.textContent)).toEqual(CODES);
    expect(asksBeforeLeaving()).toBe(true);
    await press("I have saved them");
    expect(asksBeforeLeaving()).toBe(false);
    expect(screen.queryByText(CODES[0] as string)).toBeNull();
    expect(document.activeElement).toBe(await screen.findByText(/Recovery codes left: 10/));
    expect(sent).toContainEqual({ call: "POST /api/users/second-factor/confirm", body: { code: "123456" } });
  });

  it("replaces the recovery codes and turns it off, each after the password and a code", async () => {
    let factor: object = { ...ON, recoveryCodesLeft: 1 };
    const sent = network({
      "GET /api/users/second-factor": () => json(factor),
      "POST /api/users/second-factor/recovery-codes": () => json({ recoveryCodes: CODES }),
      "DELETE /api/users/second-factor": () => {
        factor = OFF;
        return new Response(null, { status: 204 });
      },
    });
    const copied: string[] = [];
    vi.stubGlobal("navigator", { clipboard: { writeText: async (text: string) => void copied.push(text) } });
    render(<SecondFactor user={USER} />);
    expect(await screen.findByText(/before the last one is used/)).toBeDefined();
    for (const [choice, submit] of [
      ["New recovery codes", "Replace my recovery codes"],
      ["Turn it off", "Turn off sign-in in two steps"],
    ] as const) {
      await press(choice);
      type("Your password, for this change", "secret");
      type("Code", "123456");
      await press(submit);
      if (choice === "New recovery codes") {
        await press("Copy");
        expect(await screen.findByText("The codes are in your clipboard.")).toBeDefined();
        await press("I have saved them");
      }
    }
    expect(await screen.findByText(/your password alone signs in/)).toBeDefined();
    await waitFor(() => expect(document.activeElement).toBe(screen.getByText(/^Off\./)));
    expect(copied).toEqual([`${CODES.join("\n")}\n`]);
    const body = { password: "secret", code: "123456" };
    expect(sent).toContainEqual({ call: "POST /api/users/second-factor/recovery-codes", body });
    expect(sent).toContainEqual({ call: "DELETE /api/users/second-factor", body });
  });

  it("says that it could not be loaded, and loads it again", async () => {
    const responses: Record<string, () => Response> = {};
    network(responses);
    render(<SecondFactor user={USER} />);
    expect((await screen.findByRole("alert")).textContent).toContain("could not reach the server");
    responses["GET /api/users/second-factor"] = () => json(OFF);
    await press("Load again");
    expect(await screen.findByRole("button", { name: "Set it up" })).toBeDefined();
  });
});

describe("the sign-in form", () => {
  const needed = { type: "tag:ticketing.dev,2026:second-factor-required" };

  it("asks for the code after the password, and sends it with both", async () => {
    const errors = [{ field: "code", message: "The code is wrong." }];
    const answers = [
      problem(401, "Enter the code.", needed),
      problem(401, "The code is wrong.", { ...needed, errors }),
      json({ id: "1", email: USER.email }),
    ];
    const sent = network({ "POST /api/users/signin": () => answers.shift() as Response });
    render(<CredentialsForm kind="signin" returnTo="/sell" />);
    type("E-mail", USER.email);
    type("Password", "secret");
    await press("Sign in");
    const code = await screen.findByLabelText<HTMLInputElement>("Code");
    await waitFor(() => expect(document.activeElement).toBe(code));
    expect(code.autocomplete).toBe("one-time-code");
    expect(screen.queryByRole("alert")).toBeNull();
    expect(screen.getByLabelText("Password").closest("[hidden]")).not.toBeNull();

    type("Code", "000000");
    await press("Sign in");
    expect(await screen.findByText("The code is wrong.")).toBeDefined();
    type("Code", "123456");
    await press("Sign in");
    await waitFor(() => expect(router.replace).toHaveBeenCalledWith("/sell"));
    const credentials = { email: USER.email, password: "secret" };
    expect(sent.map(({ body }) => body)).toEqual([
      credentials,
      { ...credentials, code: "000000" },
      { ...credentials, code: "123456" },
    ]);
  });

  it("returns to the password if another account is wanted, or the password is wrong after all", async () => {
    const answers = [problem(401, "", needed), problem(401, "", needed), problem(401, "The password is wrong.")];
    network({ "POST /api/users/signin": () => answers.shift() as Response });
    render(<CredentialsForm kind="signin" returnTo="/" />);
    await press("Sign in");
    await press("Use another account");
    expect(screen.queryByLabelText("Code")).toBeNull();
    expect(document.activeElement).toBe(screen.getByLabelText("E-mail"));
    await press("Sign in");
    await screen.findByLabelText("Code");
    type("Code", "123456");
    await press("Sign in");
    expect(await screen.findByText("The password is wrong.")).toBeDefined();
    expect(screen.getByLabelText("Password").closest("[hidden]")).toBeNull();
  });

  it("keeps no code in a draft", () => {
    const typed = new FormData();
    typed.set("code", "ABCD-EFGH");
    saveDraft("/account", typed);
    expect(JSON.stringify(Object.entries(sessionStorage))).not.toContain("ABCD");
  });
});
