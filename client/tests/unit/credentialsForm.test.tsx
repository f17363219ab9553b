/** The form for e-mail and password: what it shows, and what it leaves behind. */
import { createEvent, fireEvent, render, screen, waitFor } from "@testing-library/react";
import { expect, it } from "vitest";
import { CredentialsForm } from "@/components/CredentialsForm";
import { SignUpStatus } from "@/components/SignUpStatus";
import { restoreDraft, saveDraft } from "@/lib/draft";
import { json, network } from "./fetched";
import { router } from "./router";

it.each([
  ["signin", "current-password"],
  ["signup", "new-password"],
] as const)("masks the password and lets password managers fill it", (_kind, autoComplete) => {
  render(<CredentialsForm kind={_kind} returnTo="/" />);
  const field = screen.getByLabelText(/^Password/) as HTMLInputElement;
  expect(field.type).toBe("password");
  expect(field.autocomplete).toBe(autoComplete);
  const paste = createEvent.paste(field, { clipboardData: { getData: () => "from a password manager" } });
  fireEvent(field, paste);
  expect(paste.defaultPrevented).toBe(false);
});

it("keeps no password in a draft", () => {
  const typed = new FormData();
  typed.set("email", "ann@example.com");
  typed.set("password", "correct horse battery");
  saveDraft("/signin", typed);
  expect(JSON.stringify(Object.entries(sessionStorage))).not.toContain("horse");

  render(<CredentialsForm kind="signin" returnTo="/" />);
  restoreDraft("/signin", document.querySelector("form") as HTMLFormElement);
  expect((screen.getByLabelText("E-mail") as HTMLInputElement).value).toBe("ann@example.com");
  expect((screen.getByLabelText(/^Password/) as HTMLInputElement).value).toBe("");
});

it("after signing up, a message says that a mail is on its way, until the address is confirmed", async () => {
  const made = { id: "1", email: "ann@example.com" };
  network({ "POST /api/users/signup": () => json(made, 201) });
  const pages = (user: object | null) => (
    <>
      <SignUpStatus user={user as typeof made | null} />
      <CredentialsForm kind="signup" returnTo="/sell" />
    </>
  );
  const { rerender } = render(pages(null));
  fireEvent.click(screen.getByRole("button", { name: "Create an account" }));
  await waitFor(() => expect(router.replace).toHaveBeenCalledWith("/sell"));
  const status = screen.getByRole("status");
  expect(status.textContent).toBe("");
  rerender(pages({ ...made, emailVerified: false }));
  expect(status.textContent).toContain("we have sent ann@example.com a link");
  rerender(pages({ ...made, emailVerified: true }));
  expect(status.textContent).toBe("");
  rerender(pages({ id: "2", email: "eve@example.com", emailVerified: false }));
  expect(status.textContent).toBe("");
});
