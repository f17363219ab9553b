/** The purchase part of a ticket page, with a mock of the API: quantity, total, and every reason of a refused hold. */
import { fireEvent, render, screen, waitFor } from "@testing-library/react";
import { beforeEach, describe, expect, it, vi } from "vitest";
import { HoldPanel } from "@/components/HoldPanel";
import { api } from "@/lib/api/browser";
import type { Order, Ticket, User } from "@/lib/api/types";
import { conflict } from "./fetched";
import { listing } from "./listing";
import { visit } from "./router";

vi.mock("@/lib/api/browser", () => ({ api: { createOrder: vi.fn(), listOrders: vi.fn(), listTickets: vi.fn() } }));

const createOrder = vi.mocked(api.createOrder);
const listOrders = vi.mocked(api.listOrders);
const BUYER: User = { id: "buyer", email: "buyer@example.com" };
const sale = (changes: Partial<Ticket> = {}) => listing("a", { quantity: 5, available: 5, price: 25.5, ...changes });

beforeEach(() => {
  listOrders.mockResolvedValue({ items: [], next: null });
  vi.mocked(api.listTickets).mockResolvedValue({ items: [], next: null });
  createOrder.mockResolvedValue({ id: "o" } as Order);
});

function show(ticket: Ticket, user: User | null = BUYER) {
  const { rerender } = render(<HoldPanel ticket={ticket} user={user} />);
  return { update: (changed: Ticket) => rerender(<HoldPanel ticket={changed} user={user} />) };
}
const quantity = () => screen.getByLabelText<HTMLInputElement>("Number of tickets");
const choose = (count: number) => fireEvent.change(quantity(), { target: { value: String(count) } });
const press = (name: string) => fireEvent.click(screen.getByRole("button", { name }));
const button = (name: string) => screen.getByRole<HTMLButtonElement>("button", { name });

describe("several tickets", () => {
  it.each([
    [4, 4],
    [200, 10],
  ])("are limited: of %i free ones an order has at most %i", (free, most) => {
    show(sale({ quantity: 200, available: free }));
    for (let presses = 0; presses < 12; presses++) press("More tickets");
    expect(quantity().value).toBe(String(most));
    expect(button("More tickets").getAttribute("aria-disabled")).toBe("true");
    for (let presses = 0; presses < 12; presses++) press("Fewer tickets");
    expect(quantity().value).toBe("1");
  });

  it("are not counted by invalid text, which disappears afterwards", () => {
    show(sale());
    choose(3);
    for (const text of ["", "0", "2.5", "6"]) {
      fireEvent.change(quantity(), { target: { value: text } });
      expect(button("Hold 3 tickets")).toBeDefined();
    }
    fireEvent.blur(quantity());
    expect(quantity().value).toBe("3");
  });

  it("keep the chosen number when others buy meanwhile, and are not reduced silently", () => {
    const { update } = show(sale());
    choose(3);
    update(sale({ available: 1, version: 2 }));
    expect(screen.getByText("Only 1 ticket is left.")).toBeDefined();
    expect(button("Hold 3 tickets").disabled).toBe(true);
    update(sale({ available: 4, version: 3 }));
    expect(button("Hold 3 tickets").disabled).toBe(false);
  });

  it("can be tried again when none was free, once a newer version shows some", async () => {
    createOrder.mockRejectedValueOnce(conflict({ available: 0 }));
    const { update } = show(sale());
    choose(2);
    press("Hold 2 tickets");
    await screen.findByText("You do not hold any tickets.");
    expect(screen.queryByLabelText("Number of tickets")).toBeNull();
    update(sale({ available: 2, version: 2 }));
    expect(quantity().value).toBe("2");
    press("Try again");
    await waitFor(() => expect(createOrder).toHaveBeenCalledTimes(2));
  });

  it("are kept through sign-in", () => {
    visit("/tickets/a?quantity=4");
    show(sale(), null);
    expect(quantity().value).toBe("4");
    const link = screen.getByRole("link", { name: "Sign in to hold 4 tickets" });
    expect(link.getAttribute("href")).toBe(`/signin?returnTo=${encodeURIComponent("/tickets/a?quantity=4")}`);
  });

  it("that the buyer holds already are shown, next to the free ones", async () => {
    const held = { id: "o", status: "created", quantity: 2, expiresAt: "2999-01-01T00:00:00Z" };
    listOrders.mockResolvedValue({ items: [{ ...held, ticket: { id: "a" } } as Order], next: null });
    show(sale({ available: 3 }));
    await screen.findByText("You hold 2 tickets.");
    expect(screen.getByRole("link", { name: "Continue to payment" }).getAttribute("href")).toBe("/orders/o");
    expect(button("Hold 1 ticket")).toBeDefined();
  });
});

describe("a changed price", () => {
  it("must be accepted before the rest of the seats is taken, too", () => {
    const { update } = show(sale());
    choose(3);
    update(sale({ price: 30, available: 2, version: 2 }));
    expect(button("Take 2 tickets").disabled).toBe(true);
    press("Accept the new price");
    expect(button("Take 2 tickets").disabled).toBe(false);
  });

  it("from a live update must be accepted if it is higher", () => {
    const { update } = show(sale());
    update(sale({ price: 20, version: 2 }));
    expect(button("Hold 1 ticket").disabled).toBe(false);
    update(sale({ price: 26, version: 3 }));
    expect(button("Hold 1 ticket").disabled).toBe(true);
  });
});

describe("a single ticket", () => {
  it("has no number to choose", async () => {
    show(listing("a", { price: 25.5 }));
    expect(screen.queryByLabelText("Number of tickets")).toBeNull();
    press("Hold this ticket");
    await waitFor(() => expect(createOrder).toHaveBeenCalled());
    expect(createOrder.mock.calls[0]?.[0]).toEqual({ ticketId: "a", quantity: 1, price: 25.5 });
  });

  it("that another buyer got first can be tried again", async () => {
    createOrder.mockRejectedValueOnce(conflict({ available: 0 }));
    show(listing("a"));
    press("Hold this ticket");
    await screen.findByText("You do not hold this ticket.");
    expect(button("Try to hold it again").disabled).toBe(false);
  });
});

it("a listing whose event has started cannot be held", () => {
  show(listing("a", { startsAt: "2000-01-01T20:00:00Z" }));
  expect(screen.getByText("This event has started.")).toBeDefined();
  expect(button("Hold this ticket").disabled).toBe(true);
});

it("a listing without free seats shows why", () => {
  const { update } = show(sale({ status: "held", available: 0 }));
  expect(screen.getByText("All remaining tickets are on hold.")).toBeDefined();
  update(sale({ status: "sold", available: 0, version: 2 }));
  expect(screen.getByText("All tickets of this listing are sold.")).toBeDefined();
});

describe("the seller's own listing whose event has started", () => {
  const advice = /Change its date/;
  it("can be moved to another date while no seat is held or sold", () => {
    const { update } = show(sale({ status: "ended", userId: BUYER.id }));
    expect(screen.getByText(advice)).toBeDefined();
    update(sale({ status: "ended", userId: BUYER.id, available: 2 }));
    expect(screen.queryByText(advice)).toBeNull();
  });
});
