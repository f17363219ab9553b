/** The page for errors of the client's own server. */
import Head from "next/head";
import { ButtonLink } from "@/components/Button";
import { EmptyState } from "@/components/EmptyState";

export default function ServerErrorPage() {
  return (
    <>
      <Head>
        <title>Something went wrong · Ticketing</title>
      </Head>
      <EmptyState
        heading="h1"
        title="Something went wrong on our side"
        text="Please try again in a moment. You are never charged twice for the same order."
      >
        <ButtonLink href="/">Browse tickets</ButtonLink>
      </EmptyState>
    </>
  );
}
