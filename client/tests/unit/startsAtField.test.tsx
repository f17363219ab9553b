/** The listing form where clocks go back: the seller chooses one of two times, and an untouched start is kept. */
import { fireEvent, render, screen, waitFor } from "@testing-library/react";
import { beforeEach, expect, it, vi } from "vitest";
import { TicketForm } from "@/components/TicketForm";
import type { TicketInput } from "@/lib/api/types";
import { saveDraft } from "@/lib/draft";
import { listing } from "./listing";

beforeEach(() => void vi.stubEnv("TZ", "America/New_York"));

function form(startsAt: string | null) {
  const sent: TicketInput[] = [];
  render(
    <TicketForm
      ticket={listing("a", { startsAt })}
      submitLabel="Save"
      onSubmit={async (input) => {
        sent.push(input);
      }}
    />,
  );
  const field = screen.getByLabelText<HTMLInputElement>(/Starts at/);
  return {
    field,
    type: (value: string) => fireEvent.input(field, { target: { value } }),
    which: () => screen.getByLabelText<HTMLSelectElement>(/which of the two/),
    choose: (value: string) => fireEvent.change(screen.getByLabelText(/which of the two/), { target: { value } }),
    send: async () => {
      fireEvent.click(screen.getByRole("button", { name: "Save" }));
      await waitFor(() => expect(screen.getByRole("button", { name: "Save" }).getAttribute("aria-busy")).toBeNull());
      return sent.at(-1)?.startsAt;
    },
  };
}

it("sends an untouched start unchanged, with its seconds", async () => {
  const start = "2026-11-01T06:30:17.25Z";
  const { field, which, send } = form(start);
  expect(field.value).toBe("2026-11-01T01:30");
  expect(which().value).toBe("later");
  expect(await send()).toBe(start);
});

it("asks which of two times is meant, and shows both", async () => {
  const { type, which, choose, send } = form(null);
  expect(which().closest("[hidden]")).not.toBeNull();
  type("2026-11-01T01:30");
  expect(which().closest("[hidden]")).toBeNull();
  expect(which().textContent).toContain("First: Nov 1, 2026, 1:30 AM (UTC−4)");
  expect(which().textContent).toContain("Second: Nov 1, 2026, 1:30 AM (UTC−5)");
  expect(await send()).toBeUndefined();
  expect(which().getAttribute("aria-invalid")).toBe("true");
  expect(document.activeElement).toBe(which());
  choose("later");
  expect(await send()).toBe("2026-11-01T06:30:00.000Z");
});

it("refuses a skipped time and shows which times exist", async () => {
  const { field, type, send } = form(null);
  type("2026-03-08T02:30");
  expect(await send()).toBeUndefined();
  expect(field.getAttribute("aria-invalid")).toBe("true");
  expect(screen.getByText(/clocks in America\/New York go forward/)).toBeDefined();
  type("2026-03-08T03:30");
  expect(await send()).toBe("2026-03-08T07:30:00.000Z");
});

it("refuses an incomplete date instead of ignoring it", async () => {
  const { field, send } = form("2026-07-01T19:30:00Z");
  Object.defineProperty(field, "validity", { value: { badInput: true } });
  expect(await send()).toBeUndefined();
  expect(screen.getByText("Enter both a date and a time, or leave both empty.")).toBeDefined();
});

it("restores the choice from a draft", async () => {
  const draft = new FormData();
  for (const [name, value] of Object.entries({ startsAt: "2026-11-01T01:30", startsAtWhich: "later" }))
    draft.set(name, value);
  saveDraft("/", draft);
  const { which, send } = form(null);
  expect(which().closest("[hidden]")).toBeNull();
  expect(await send()).toBe("2026-11-01T06:30:00.000Z");
});
