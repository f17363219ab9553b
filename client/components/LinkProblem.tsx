/** Shown for a mailed link that cannot be used: incomplete, used before, or too old. */
import type { ReactNode } from "react";
import { EmptyState } from "./EmptyState";

const INCOMPLETE = {
  title: "This link is incomplete",
  text: "Open the link from the mail again. If you copied it, copy all of it.",
};
const SPENT = {
  title: "This link no longer works",
  text: "A link works once, for 30 minutes, and not after a change of the password. Ask for a new one.",
};

export function LinkProblem({ incomplete = false, children }: { incomplete?: boolean; children: ReactNode }) {
  return (
    <EmptyState heading="h1" takesFocus={!incomplete} {...(incomplete ? INCOMPLETE : SPENT)}>
      {children}
    </EmptyState>
  );
}
