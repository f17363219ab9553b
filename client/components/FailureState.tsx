/** What a page shows when its data could not be loaded. */
import Head from "next/head";
import { useRouter } from "next/router";
import type { Failure } from "@/lib/server/pageProps";
import { Button } from "./Button";
import { EmptyState } from "./EmptyState";

export function FailureState({ failure, heading = "h2" }: { failure: Failure; heading?: "h1" | "h2" }) {
  const router = useRouter();
  const title = failure.status === 403 ? "This is not yours to see" : "We could not load this";
  return (
    <EmptyState title={title} text={failure.message} heading={heading}>
      {heading === "h1" && (
        <Head>
          <title>{`${title} · Ticketing`}</title>
        </Head>
      )}
      {failure.status !== 403 && <Button onClick={() => router.replace(router.asPath)}>Try again</Button>}
    </EmptyState>
  );
}
