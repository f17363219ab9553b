/** What a page shows when its data could not be loaded. */
import { useRouter } from "next/router";
import type { Failure } from "@/lib/server/pageProps";
import { Button } from "./Button";
import { EmptyState } from "./EmptyState";

export function FailureState({ failure }: { failure: Failure }) {
  const router = useRouter();
  const title = failure.status === 403 ? "This is not yours to see" : "We could not load this";
  return (
    <EmptyState title={title} text={failure.message}>
      {failure.status !== 403 && <Button onClick={() => router.replace(router.asPath)}>Try again</Button>}
    </EmptyState>
  );
}
