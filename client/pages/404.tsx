/** The page for unknown addresses. */
import Head from "next/head";
import { ButtonLink } from "@/components/Button";
import { EmptyState } from "@/components/EmptyState";

export default function NotFoundPage() {
  return (
    <>
      <Head>
        <title>Page not found · Ticketing</title>
      </Head>
      <EmptyState
        heading="h1"
        title="Page not found"
        text="The seller may have withdrawn this ticket, or the address is wrong."
      >
        <ButtonLink href="/">Browse tickets</ButtonLink>
      </EmptyState>
    </>
  );
}
