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
        text="The ticket may have been withdrawn, or the address has a slip in it."
      >
        <ButtonLink href="/">See what is for sale</ButtonLink>
      </EmptyState>
    </>
  );
}
