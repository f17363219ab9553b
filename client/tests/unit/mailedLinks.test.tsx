/** The pages that mailed links lead to, and the page that asks for one. */
import { act, fireEvent, render, screen, waitFor } from "@testing-library/react";
import { beforeEach, describe, expect, it } from "vitest";
import { Layout } from "@/components/Layout";
import ForgotPasswordPage from "@/pages/forgot-password";
import ResetPasswordPage from "@/pages/reset-password";
import VerifyEmailPage from "@/pages/verify-email";
import { json, network, problem } from "./fetched";
import { router, visit } from "./router";

beforeEach(() => {
  router.replace.mockImplementation(async (path) => {
    router.asPath = path;
    return true;
  });
});

const press = (name: string) => fireEvent.click(screen.getByRole("button", { name }));

describe("the link to reset a password", () => {
  const CONFIRM = "POST /api/users/password-reset/confirm";

  function reset() {
    visit("/reset-password#token=t0ken");
    render(<ResetPasswordPage />);
    fireEvent.input(screen.getByLabelText("New password"), { target: { value: "new secret" } });
    press("Set the password");
  }

  it("leaves the address bar at once, and its token is sent with the new password", async () => {
    const sent = network({ [CONFIRM]: () => json({}) });
    reset();
    expect(router.asPath).toBe("/reset-password");
    await waitFor(() => expect(router.replace).toHaveBeenLastCalledWith("/signin?done=password-reset"));
    expect(sent).toEqual([{ call: CONFIRM, body: { token: "t0ken", password: "new secret" } }]);
  });

  it("that is used or too old leads to a new one", async () => {
    network({ [CONFIRM]: () => problem(422, "The link is spent.") });
    reset();
    const heading = await screen.findByRole("heading", { name: "This link no longer works" });
    await waitFor(() => expect(document.activeElement).toBe(heading));
    expect(screen.getByRole("link", { name: "Ask for a new link" }).getAttribute("href")).toBe("/forgot-password");
  });

  it("stays usable after a refused password", async () => {
    const errors = [{ field: "password", message: "This password is too common" }];
    const sent = network({ [CONFIRM]: () => problem(422, "Invalid", { errors }) });
    reset();
    expect(await screen.findByText("This password is too common")).toBeDefined();
    press("Set the password");
    await waitFor(() => expect(sent).toHaveLength(2));
    expect(sent[1]?.body).toMatchObject({ token: "t0ken" });
  });

  it.each(["/reset-password", "/reset-password#", "/reset-password#token=", "/reset-password#other=1"])(
    "%s is incomplete",
    (path) => {
      visit(path);
      render(<ResetPasswordPage />);
      expect(screen.getByRole("heading", { name: "This link is incomplete" })).toBeDefined();
    },
  );

  it("that is opened in the same tab replaces the one before", async () => {
    const sent = network({});
    visit("/reset-password#token=first");
    const { rerender } = render(<ResetPasswordPage />);
    visit("/reset-password#token=second");
    rerender(<ResetPasswordPage />);
    press("Set the password");
    await waitFor(() => expect(sent).toHaveLength(1));
    expect(sent[0]?.body).toMatchObject({ token: "second" });
  });

  it.each(["/reset-password#token=t0ken", "/verify-email#token=t0ken"])(
    "%s does not get into another address",
    (path) => {
      visit(path);
      render(<Layout user={null}>{null}</Layout>);
      const addresses = screen.getAllByRole("link").map((link) => link.getAttribute("href"));
      expect(addresses).toContain("/signin");
      expect(addresses.join()).not.toContain("t0ken");
    },
  );
});

describe("the link to confirm an e-mail address", () => {
  const CONFIRM = "POST /api/users/verification/confirm";
  const USER = { id: "1", email: "ann@example.com" };

  it("is used only when the reader presses the button, because mail servers open links too", async () => {
    const sent = network({ [CONFIRM]: () => json({}) });
    visit("/verify-email#token=t0ken");
    render(<VerifyEmailPage user={USER} />);
    await act(async () => {});
    expect(sent).toEqual([]);
    press("Confirm the address");
    const heading = await screen.findByRole("heading", { name: "Your e-mail address is confirmed" });
    await waitFor(() => expect(document.activeElement).toBe(heading));
    expect(sent).toEqual([{ call: CONFIRM, body: { token: "t0ken" } }]);
  });

  it("that is used or too old leads to the account, where there is a new one", async () => {
    network({ [CONFIRM]: () => problem(422, "The link is spent.") });
    visit("/verify-email#token=t0ken");
    render(<VerifyEmailPage user={USER} />);
    press("Confirm the address");
    expect(await screen.findByRole("heading", { name: "This link no longer works" })).toBeDefined();
    expect(screen.getByRole("link", { name: "Your account" }).getAttribute("href")).toBe("/account");
  });

  it("that is too old says that the address is confirmed, if it is", async () => {
    network({ [CONFIRM]: () => problem(422, "The link is spent.") });
    visit("/verify-email#token=t0ken");
    render(<VerifyEmailPage user={{ ...USER, emailVerified: true }} />);
    press("Confirm the address");
    expect(await screen.findByRole("heading", { name: "Your e-mail address is confirmed" })).toBeDefined();
  });
});

describe("asking for a link", () => {
  const ASK = "POST /api/users/password-reset";

  function ask(email: string) {
    visit("/forgot-password");
    render(<ForgotPasswordPage />);
    fireEvent.input(screen.getByLabelText("E-mail"), { target: { value: email } });
    press("Send the link");
  }

  it("is followed by a page that does not tell whether the address has an account", async () => {
    const sent = network({ [ASK]: () => json({}, 202) });
    ask(" ann@example.com ");
    const heading = await screen.findByRole("heading", { name: "Check your mail" });
    await waitFor(() => expect(document.activeElement).toBe(heading));
    expect(screen.getByText(/^If/).textContent).toContain("If ann@example.com has an account,");
    press("Send the mail again");
    expect(await screen.findByText("We have sent it again.")).toBeDefined();
    expect(sent.map(({ body }) => body)).toEqual([{ email: "ann@example.com" }, { email: "ann@example.com" }]);
  });

  it("says when it was too often", async () => {
    network({ [ASK]: () => problem(429, "Too many requests.", {}, { "retry-after": "30" }) });
    ask("ann@example.com");
    expect((await screen.findByRole("alert")).textContent).toBe("Too many requests. Try again in 30 seconds.");
  });
});
