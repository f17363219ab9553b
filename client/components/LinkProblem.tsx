/** Shown for a mailed link that cannot be used: incomplete, used before, or too old. */
import type { ReactNode } from "react";
import { EmptyState } from "./EmptyState";

export function LinkProblem({ incomplete, children }: { incomplete: boolean; children: ReactNode }) {
  return incomplete ? (
    <EmptyState
      heading="h1"
      title="This link is incomplete"
      text="Open the link from the mail again. If you copied it, copy all of it."
    >
      {children}
    </EmptyState>
  ) : (
    <EmptyState
      heading="h1"
      takesFocus
      title="This link no longer works"
      text="A link works once, for 30 minutes, and not after a change of the password. Ask for a new one."
    >
      {children}
    </EmptyState>
  );
}
