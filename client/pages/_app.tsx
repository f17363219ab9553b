/** Renders every page within the layout and passes it the shared props. */
import type { AppProps } from "next/app";
import Head from "next/head";
import { Layout } from "@/components/Layout";
import { useFocusOnNavigation } from "@/hooks/useFocusOnNavigation";
import { useServerClock } from "@/hooks/useServerClock";
import type { SharedProps } from "@/lib/server/pageProps";
import "@/lib/interruptibleHydration";
import "@/styles/global.css";

export default function App({ Component, pageProps }: AppProps<Partial<SharedProps>>) {
  useFocusOnNavigation();
  useServerClock(pageProps.renderedAt);
  return (
    <>
      <Head>
        <title>Ticketing</title>
        <meta name="description" content="Buy and sell event tickets, from fans to fans." key="description" />
      </Head>
      <Layout user={pageProps.user}>
        <Component {...pageProps} />
      </Layout>
    </>
  );
}
