/** Hydration runs in slices, and handles a press before it is complete. */
import { useState } from "react";
import ReactDOM from "react-dom/client";
import { expect, it, vi } from "vitest";

function Counter() {
  const [count, setCount] = useState(0);
  return (
    <button type="button" onClick={() => setCount(count + 1)}>
      {count}
    </button>
  );
}

it("hydrates as a transition, and handles an earlier press at once", async () => {
  const plain = ReactDOM.hydrateRoot;
  const { HYDRATION_MARK } = await import("@/lib/interruptibleHydration");
  expect(ReactDOM.hydrateRoot).not.toBe(plain);
  document.body.innerHTML = '<div id="page"><button type="button">0</button></div>';
  const container = document.getElementById("page") as HTMLElement;
  const root = ReactDOM.hydrateRoot(container, <Counter />);
  expect(performance.getEntriesByName(HYDRATION_MARK)).toHaveLength(1);
  container.querySelector("button")?.click();
  await vi.waitFor(() => expect(container.textContent).toBe("1"));
  root.unmount();
});
