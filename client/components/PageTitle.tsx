/** The title of the page in the browser's tab. */
import Head from "next/head";

export function PageTitle({ children }: { children: string }) {
  return (
    <Head>
      <title>{`${children} · Ticketing`}</title>
    </Head>
  );
}
