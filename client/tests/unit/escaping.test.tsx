/** Texts of strangers stay texts: in the page, in its attributes and in the data that the page brings along. */
import { renderToString } from "react-dom/server";
import { expect, it } from "vitest";
import { TicketCard } from "@/components/TicketCard";
import { listing } from "./listing";

const MARKUP = `</h2><script>alert(1)</script><img src=x onerror="alert(1)">" onmouseover="alert(1)`;

it("shows the markup of a listing as text", () => {
  const html = renderToString(
    <ul>
      <TicketCard ticket={listing("1", { title: MARKUP, venue: MARKUP })} />
    </ul>,
  );
  const page = new DOMParser().parseFromString(html, "text/html");
  expect(page.querySelector("h2")?.textContent).toBe(MARKUP);
  expect(page.body.textContent?.split(MARKUP)).toHaveLength(3);
  expect(page.querySelectorAll("script, img")).toHaveLength(0);
  const attributes = [...page.querySelectorAll("*")].flatMap((element) => element.getAttributeNames());
  expect(attributes.filter((name) => name.startsWith("on"))).toEqual([]);
});
