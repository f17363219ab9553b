/** A listing that is refused because the seller's e-mail address is not confirmed. */
import { fireEvent, render, screen, waitFor } from "@testing-library/react";
import { expect, it } from "vitest";
import SellPage from "@/pages/sell";
import { json, network, problem } from "./fetched";
import { router } from "./router";

const USER = { id: "1", email: "ann@example.com" };
const BANNER = "Confirm your e-mail address before you sell";

function list() {
  fireEvent.input(screen.getByLabelText("Title"), { target: { value: "Concert" } });
  fireEvent.input(screen.getByLabelText("Price in US dollars"), { target: { value: "25" } });
  fireEvent.click(screen.getByRole("button", { name: "List for sale" }));
}

it("is explained at the top of the page, and sent again once the address is confirmed", async () => {
  let refused = true;
  const sent = network({
    "POST /api/tickets": () => (refused ? problem(403, "Confirm your e-mail first.") : json({ id: "t1" }, 201)),
    "POST /api/users/verification": () => json({}, 202),
  });
  const { rerender } = render(<SellPage user={{ ...USER, emailVerified: false }} />);
  expect(screen.queryByText(BANNER)).toBeNull();
  list();
  await screen.findByText(BANNER);
  await waitFor(() => expect(document.activeElement?.textContent).toContain(BANNER));
  fireEvent.click(screen.getByRole("button", { name: "Send a new link" }));
  await screen.findByText("We have sent you a new link.");

  // Confirmed in another tab: the page is rendered again, and the form keeps its input.
  refused = false;
  rerender(<SellPage user={{ ...USER, emailVerified: true }} />);
  expect(screen.queryByText(BANNER)).toBeNull();
  fireEvent.click(screen.getByRole("button", { name: "List for sale" }));
  await waitFor(() => expect(router.push).toHaveBeenCalledWith("/tickets/t1?listed=1"));
  expect(sent.map(({ call }) => call)).toEqual([
    "POST /api/tickets",
    "POST /api/users/verification",
    "POST /api/tickets",
  ]);
  expect(sent[2]?.body).toMatchObject({ title: "Concert", price: 25 });
});

it("for another reason is shown as it is", async () => {
  network({ "POST /api/tickets": () => problem(403, "This page may not write.") });
  render(<SellPage user={{ ...USER, emailVerified: true }} />);
  list();
  expect((await screen.findByRole("alert")).textContent).toBe("This page may not write.");
  expect(screen.queryByText(BANNER)).toBeNull();
});
