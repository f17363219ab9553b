/** Shown when a page's data could not be loaded. */
import { useRouter } from "next/router";
import type { Failure } from "@/lib/server/pageProps";
import { Button } from "./Button";
import { EmptyState } from "./EmptyState";
import { PageTitle } from "./PageTitle";

export function FailureState({ failure, heading = "h2" }: { failure: Failure; heading?: "h1" | "h2" }) {
  const router = useRouter();
  const title = failure.status === 403 ? "You do not have access to this page" : "This page could not be loaded";
  return (
    <EmptyState title={title} text={failure.message} heading={heading}>
      {heading === "h1" && <PageTitle>{title}</PageTitle>}
      {failure.status !== 403 && <Button onClick={() => router.replace(router.asPath)}>Try again</Button>}
    </EmptyState>
  );
}
