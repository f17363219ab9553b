/**
 * The page for unknown addresses and for errors of the client's own server.
 *
 * `getInitialProps` makes Next render it for each request: pages/404.tsx and pages/500.tsx are rendered at build time, when
 * there is no nonce, so the Content-Security-Policy blocks their scripts.
 */
import type { NextPageContext } from "next";
import { ButtonLink } from "@/components/Button";
import { EmptyState } from "@/components/EmptyState";
import { PageTitle } from "@/components/PageTitle";

interface Props {
  failed: boolean;
}

const WORDS = {
  missing: {
    title: "Page not found",
    text: "The seller may have withdrawn this ticket, or the address is wrong.",
  },
  failed: {
    title: "Something went wrong on our side",
    text: "Please try again in a moment. You are never charged twice for the same order.",
  },
};

export default function ErrorPage({ failed }: Props) {
  const { title, text } = failed ? WORDS.failed : WORDS.missing;
  return (
    <>
      <PageTitle>{failed ? "Something went wrong" : title}</PageTitle>
      <EmptyState heading="h1" title={title} text={text}>
        <ButtonLink href="/">Browse tickets</ButtonLink>
      </EmptyState>
    </>
  );
}

/** Next sets the status before. In the browser there is none: its router shows this page for a 404, and reloads for others. */
ErrorPage.getInitialProps = ({ res, err }: NextPageContext): Props => ({
  failed: (res?.statusCode ?? err?.statusCode ?? 404) >= 500,
});
