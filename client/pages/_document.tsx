/** The HTML around every page, and its Content-Security-Policy; lib/server/securityHeaders.ts has the other headers. */
import { randomBytes } from "node:crypto";
import Document, { type DocumentContext, type DocumentInitialProps, Head, Html, Main, NextScript } from "next/document";
import { contentSecurityPolicy } from "@/lib/server/contentSecurityPolicy";

/** Reads QR codes with WebAssembly where the browser cannot (lib/checkin/decoder.ts). */
const WITH_WASM = new Set(["/checkin/[id]"]);

interface Props extends DocumentInitialProps {
  nonce: string;
}

export default class TicketingDocument extends Document<Props> {
  static override async getInitialProps(context: DocumentContext): Promise<Props> {
    const nonce = randomBytes(16).toString("base64");
    // The development server evaluates code and injects styles, which a useful policy forbids.
    if (context.res && process.env.NODE_ENV === "production") {
      const wasm = WITH_WASM.has(context.pathname);
      context.res.setHeader("Content-Security-Policy", contentSecurityPolicy({ nonce, wasm }));
    }
    return { ...(await Document.getInitialProps(context)), nonce };
  }

  override render() {
    const { nonce } = this.props;
    return (
      <Html lang="en">
        <Head nonce={nonce}>
          <link rel="icon" href="/icon.svg" type="image/svg+xml" />
          <meta name="color-scheme" content="light dark" />
        </Head>
        <body>
          <Main />
          <NextScript nonce={nonce} />
        </body>
      </Html>
    );
  }
}
