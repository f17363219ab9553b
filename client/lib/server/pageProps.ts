/** The common part of every page's getServerSideProps: the signed-in user, the API with the reader's cookie, error handling. */
import { propagation, context as tracing } from "@opentelemetry/api";
import type { GetServerSideProps, GetServerSidePropsContext, GetServerSidePropsResult } from "next";
import { type Api, createApi, type Transport } from "@/lib/api/client";
import { ApiError, localError } from "@/lib/api/errors";
import { RetryBudget, SERVER_RETRY_POLICY } from "@/lib/api/retry";
import type { User } from "@/lib/api/types";
import { first, signInPath } from "@/lib/returnTo";
import { callerOf } from "./forwarded";
import { RefusedError } from "./refusals";
import { type RuntimeConfig, runtimeConfig } from "./runtimeConfig";
import { upstreamFor } from "./upstreams";

/** An API failure as a page shows it. */
export interface Failure {
  status: number;
  message: string;
}

export interface SharedProps {
  user: User | null;
  config: RuntimeConfig;
  /** When the server rendered the page, milliseconds since the epoch. */
  renderedAt: number;
}

/** The props of a page: those of its own, unless its data could not be loaded. */
export type PageProps<Props> = (Props | { failure: Failure }) & SharedProps;

interface PageContext {
  services: Api;
  user: User | null;
  /** The `[id]` of the address. */
  id: string;
  query: GetServerSidePropsContext["query"];
}

type Loaded<Props> = { props: Props; status?: number } | { redirect: string };

/** A page with data from the server. An ApiError from `load` becomes a 404, a redirect to sign-in, or the page's `failure` prop. */
export function page<Props extends object>(
  load: (page: PageContext) => Promise<Loaded<Props>>,
  { signedIn = false }: { signedIn?: boolean } = {},
): GetServerSideProps<PageProps<Props>> {
  return async (context) => {
    context.res.setHeader("Cache-Control", "private, no-store");
    const services = serverApi(context);
    const config = runtimeConfig();
    let user: User | null = null;
    try {
      user = await currentUser();
      if (signedIn && !user) return redirect(signInPath(context.resolvedUrl));
      const id = first(context.params?.id) ?? "";
      const loaded = await load({ services, user, id, query: context.query });
      if ("redirect" in loaded) return redirect(loaded.redirect);
      if (loaded.status) setStatus(context, loaded.status);
      return { props: { ...loaded.props, user, config, renderedAt: Date.now() } };
    } catch (error) {
      if (!(error instanceof ApiError)) throw error;
      if (error.status === 404) return { notFound: true };
      if (error.status === 401) return redirect(signInPath(context.resolvedUrl));
      setStatus(context, error.status || 502);
      return {
        props: { failure: { status: error.status, message: error.message }, user, config, renderedAt: Date.now() },
      };
    }

    async function currentUser(): Promise<User | null> {
      // Readers without a cookie need no request to auth.
      if (!context.req.headers.cookie) return null;
      try {
        return await services.currentUser();
      } catch (error) {
        // Browsing works while auth is down; only pages that need the user fail.
        if (signedIn) throw error;
        return null;
      }
    }
  };
}

/** Next's router reloads the whole page if its data request is not a 200, and typed input would be lost. */
function setStatus({ req, res }: GetServerSidePropsContext, status: number): void {
  if (!req.url?.startsWith("/_next/data/")) res.statusCode = status;
}

function redirect(destination: string): GetServerSidePropsResult<never> {
  return { redirect: { destination, permanent: false } };
}

/** A page that waits longer than this for a service is rendered without its data. */
const DEFAULT_TIMEOUT_SECONDS = 10;

/** One budget for all pages: a call that fails for one reader fails for the next. */
const budget = new RetryBudget();

function serverApi({ req, res }: GetServerSidePropsContext): Api {
  const timeout = Number(process.env.PAGE_TIMEOUT_SECONDS || DEFAULT_TIMEOUT_SECONDS) * 1000;
  const transport: Transport = async (path, init) => {
    const headers = new Headers(init.headers);
    if (req.headers.cookie) headers.set("Cookie", req.headers.cookie);
    // Auth names the reader's device by it when a page renews the session.
    if (req.headers["user-agent"]) headers.set("User-Agent", req.headers["user-agent"]);
    headers.set("X-Forwarded-For", callerOf(req).forwardedFor);
    // Lets the service stop when this timeout has passed; the header name is Envoy's, which proxies support.
    headers.set("X-Envoy-Expected-Rq-Timeout-Ms", String(timeout));
    propagation.inject(tracing.active(), headers, { set: (to, name, value) => to.set(name, value) });
    const signal = AbortSignal.timeout(timeout);
    try {
      return await fetch(addressOf(path), { ...init, headers, signal });
    } catch (error) {
      console.error(`${path.split("?")[0]}: ${error instanceof Error ? error.message : error}`);
      if (error instanceof RefusedError) throw localError(error.refusal.status, error.message);
      throw localError(signal.aborted ? 504 : 502);
    }
  };
  // Auth renews the session's cookie when a page asks for its user.
  const onResponse = ({ headers }: Response) => {
    const renewed = headers.getSetCookie();
    if (renewed.length > 0) res.setHeader("Set-Cookie", renewed);
  };
  return createApi(transport, { retryPolicy: SERVER_RETRY_POLICY, budget, onResponse });
}

function addressOf(path: string): string {
  const address = upstreamFor(path)?.address;
  if (!address) throw new Error(`no service owns ${path}`);
  return address.href.replace(/\/$/, "") + path;
}
