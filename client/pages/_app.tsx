/** Renders every page within the layout and passes it the shared props. */
import type { AppProps } from "next/app";
import Head from "next/head";
import { useRouter } from "next/router";
import { useEffect, useRef } from "react";
import { Layout } from "@/components/Layout";
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

/** Moves the focus to the content after navigation to another page, as a full load would. A changed query does not count. */
function useFocusOnNavigation(): void {
  const path = useRouter().asPath.split(/[?#]/)[0];
  const previous = useRef(path);
  useEffect(() => {
    if (previous.current === path) return;
    previous.current = path;
    document.getElementById("main")?.focus({ preventScroll: true });
  }, [path]);
}
