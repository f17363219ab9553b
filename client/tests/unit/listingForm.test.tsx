/** The number of tickets in the listing form, and what it allows while some of them are sold or on hold. */
import { fireEvent, render, screen, waitFor } from "@testing-library/react";
import { describe, expect, it, vi } from "vitest";
import { TicketForm } from "@/components/TicketForm";
import type { Ticket } from "@/lib/api/types";
import { conflict } from "./fetched";
import { listing } from "./listing";

const input = (label: string | RegExp) => screen.getByLabelText<HTMLInputElement>(label);

function form(ticket?: Ticket) {
  const onSubmit = vi.fn(async () => {});
  render(<TicketForm {...(ticket && { ticket })} submitLabel="Save" onSubmit={onSubmit} />);
  return {
    onSubmit,
    send: async (quantity?: string) => {
      if (quantity !== undefined) fireEvent.input(input("Number of tickets"), { target: { value: quantity } });
      fireEvent.click(screen.getByRole("button", { name: "Save" }));
      await waitFor(() => expect(screen.getByRole("button", { name: "Save" }).getAttribute("aria-busy")).toBeNull());
    },
  };
}

describe("a new listing", () => {
  it.each([
    ["1", 1],
    ["200", 200],
    [" 20000 ", 20_000],
    ["20,000", 20_000],
  ])("of %j tickets is sent with the quantity %j", async (typed, quantity) => {
    const { send, onSubmit } = form();
    fireEvent.input(input("Title"), { target: { value: "Concert" } });
    fireEvent.input(input("Price in US dollars"), { target: { value: "25" } });
    await send(typed);
    expect(onSubmit).toHaveBeenCalledWith(expect.objectContaining({ quantity }));
  });

  it.each(["", "0", "-1", "2.5", "20001", "20,001", "2,5", "1,00", "many"])(
    "of %j tickets is refused",
    async (typed) => {
      const { send, onSubmit } = form();
      fireEvent.input(input("Title"), { target: { value: "Concert" } });
      fireEvent.input(input("Price in US dollars"), { target: { value: "25" } });
      await send(typed);
      expect(screen.getByText("Enter a whole number from 1 to 20,000.")).toBeDefined();
      expect(document.activeElement).toBe(input("Number of tickets"));
      expect(onSubmit).not.toHaveBeenCalled();
    },
  );
});

describe("an existing listing", () => {
  it("keeps its quantity until it is changed", async () => {
    const several = form(listing("a", { quantity: 5, available: 5 }));
    await several.send();
    expect(several.onSubmit).toHaveBeenCalledWith(expect.objectContaining({ quantity: 5 }));
    expect(input("Title").readOnly).toBe(false);
    await several.send("1");
    expect(several.onSubmit).toHaveBeenLastCalledWith(expect.objectContaining({ quantity: 1 }));
  });

  it("with taken seats allows price, description and quantity only", async () => {
    const { send, onSubmit } = form(listing("a", { quantity: 5, available: 2 }));
    expect(screen.getByText("3 of 5 tickets are sold or on hold.")).toBeDefined();
    const fixed = ["Title", /Venue/, /Starts at/].map((label) => input(label).readOnly);
    const free = ["Price in US dollars", "Number of tickets", /Description/].map((label) => input(label).readOnly);
    expect([fixed, free]).toEqual([
      [true, true, true],
      [false, false, false],
    ]);
    onSubmit.mockRejectedValueOnce(conflict({ errors: [{ field: "quantity", message: "3 seats are taken" }] }));
    await send("2");
    expect(screen.getByText("3 seats are taken")).toBeDefined();
    expect(input("Number of tickets").getAttribute("aria-invalid")).toBe("true");
  });
});
