/** The client itself failed. */
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
        text="It has been noted. Nothing you did was lost or charged twice."
      >
        <ButtonLink href="/">Back to the start</ButtonLink>
      </EmptyState>
    </>
  );
}
