/** An address that leads nowhere. */
import Head from "next/head";
import { ButtonLink } from "@/components/Button";
import { EmptyState } from "@/components/EmptyState";

export default function NotFoundPage() {
  return (
    <>
      <Head>
        <title>Not found · Ticketing</title>
      </Head>
      <EmptyState
        heading="h1"
        title="There is nothing here"
        text="The seller may have withdrawn the ticket, or the address is wrong."
      >
        <ButtonLink href="/">See what is for sale</ButtonLink>
      </EmptyState>
    </>
  );
}
