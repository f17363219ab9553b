/** A list that grows by its cursor, while the server renders another one (new filters) at the same time. */
import { startTransition, useState } from "react";
import { createRoot } from "react-dom/client";
import { expect, it, vi } from "vitest";
import { usePagedList } from "@/hooks/usePagedList";
import type { Page } from "@/lib/api/client";

interface Item {
  id: string;
}
const page = (...ids: string[]): Page<Item> => ({ items: ids.map((id) => ({ id })), next: null });

const before = page("before");
const after = page("after");
const events: string[] = [];
let answer: (list: Page<Item>) => void;
let show: (list: Page<Item>) => void;
let reload: () => void;

/** Renders longer than React works before it pauses; the answer arrives in that pause. */
function Slow({ list }: { list: Page<Item> }) {
  if (list === after && !events.includes("paused")) {
    events.push("paused");
    queueMicrotask(() => {
      events.push("answered");
      answer(page("late"));
    });
    const started = performance.now();
    while (performance.now() - started < 50);
  }
  return null;
}

function List({ list }: { list: Page<Item> }) {
  if (list === after && !events.includes("rendered")) events.push("rendered");
  const shown = usePagedList<Item>(list, () => new Promise((resolve) => (answer = resolve)));
  reload = shown.reload;
  return <ul>{shown.items.map(({ id }) => id)}</ul>;
}

function Browse() {
  const [list, setList] = useState(before);
  show = setList;
  return (
    <>
      <Slow list={list} />
      <List list={list} />
    </>
  );
}

it("shows the new list when an answer for the old one arrives while the new one is rendered in slices", async () => {
  const container = document.createElement("div");
  const root = createRoot(container);
  root.render(<Browse />);
  await vi.waitFor(() => expect(container.textContent).toBe("before"));
  reload();
  startTransition(() => show(after));
  await vi.waitFor(() => expect(container.textContent).not.toBe("before"));
  await new Promise((resolve) => setImmediate(resolve));
  expect(events).toEqual(["paused", "answered", "rendered"]);
  expect(container.textContent).toBe("after");
  root.unmount();
});
