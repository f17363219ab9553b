/**
 * The token of a mailed link. It is in the fragment, which browsers send in no request and in no Referer (RFC 9110
 * §10.1.3), so no server logs it. It is removed from the address bar and from the history at once.
 */
import { useRouter } from "next/router";
import { useEffect, useState } from "react";

/** Undefined until the page is hydrated; null if the address has no token. */
export function useLinkToken(): string | null | undefined {
  const { asPath, pathname, replace } = useRouter();
  const [token, setToken] = useState<string | null>();

  // A second link that is opened in the same tab changes only the fragment, so the page stays and asPath changes.
  useEffect(() => {
    const fragment = asPath.split("#")[1];
    const found = new URLSearchParams(fragment).get("token");
    setToken((known) => found || known || null);
    if (fragment) void replace(pathname, undefined, { shallow: true, scroll: false });
  }, [asPath, pathname, replace]);

  return token;
}
