/** The form for e-mail and password: what it shows, and what it leaves behind. */
import { cleanup, createEvent, fireEvent, render, screen } from "@testing-library/react";
import { afterEach, expect, it, vi } from "vitest";
import { CredentialsForm } from "@/components/CredentialsForm";
import { restoreDraft, saveDraft } from "@/lib/draft";

vi.mock("next/router", () => ({ useRouter: () => ({ replace: vi.fn() }) }));

afterEach(() => {
  cleanup();
  sessionStorage.clear();
});

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
