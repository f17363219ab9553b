/** The frame of every page: skip link, navigation, account. */
import Head from "next/head";
import { useRouter } from "next/router";
import type { ReactNode } from "react";
import type { User } from "@/lib/api/types";
import { isSignedOutPage, signInPath } from "@/lib/returnTo";
import { ButtonLink } from "./Button";
import { ConnectionStatus } from "./ConnectionStatus";
import styles from "./Layout.module.css";
import { PageLink } from "./PageLink";
import { SessionStatus } from "./SessionStatus";
import { SignOutButton } from "./SignOutButton";
import { SignUpStatus } from "./SignUpStatus";

/** `user` is undefined on pages that are rendered without a session (404, 500). */
export function Layout({ user, children }: { user: User | null | undefined; children: ReactNode }) {
  const router = useRouter();
  const signIn = isSignedOutPage(router.pathname) ? "/signin" : signInPath(router.asPath);
  return (
    <>
      <Head>
        <meta name="viewport" content="width=device-width, initial-scale=1" />
      </Head>
      <a href="#main" className={`${styles.skip} screenOnly`}>
        Skip to content
      </a>
      <header className={`${styles.header} screenOnly`}>
        <div className={styles.bar}>
          <PageLink href="/" className={styles.brand}>
            <Stub />
            Ticketing
          </PageLink>
          <nav className={styles.nav} aria-label="Main">
            <NavLink href="/">Browse</NavLink>
            <NavLink href="/sell">Sell</NavLink>
            {user && <NavLink href="/orders">My orders</NavLink>}
            {user && <NavLink href="/listings">My listings</NavLink>}
          </nav>
          <div className={styles.account}>
            {user && (
              <>
                <PageLink
                  href="/account"
                  className={styles.email}
                  title={user.email}
                  aria-current={router.pathname === "/account" ? "page" : undefined}
                >
                  <Person />
                  <span className="visuallyHidden">Your account: </span>
                  <span className={styles.address}>{user.email}</span>
                </PageLink>
                <SignOutButton />
              </>
            )}
            {user === null && (
              <>
                <PageLink href={signIn}>Sign in</PageLink>
                <ButtonLink href={signIn.replace("/signin", "/signup")}>Sign up</ButtonLink>
              </>
            )}
          </div>
        </div>
      </header>
      {/* The check-in page works offline, and says itself what that means. */}
      {router.pathname !== "/checkin/[id]" && <ConnectionStatus />}
      <SessionStatus user={user} />
      <SignUpStatus user={user} />
      <main id="main" className={styles.main} tabIndex={-1}>
        {children}
      </main>
      <footer className={`${styles.footer} screenOnly`}>
        <p>Tickets from fans to fans. We hold your tickets while you pay, and charge you only if you get them.</p>
      </footer>
    </>
  );
}

function NavLink({ href, children }: { href: string; children: ReactNode }) {
  const { pathname } = useRouter();
  return (
    <PageLink href={href} aria-current={pathname === href ? "page" : undefined}>
      {children}
    </PageLink>
  );
}

function Stub() {
  return (
    <svg width="26" height="18" viewBox="0 0 26 18" aria-hidden="true">
      <path
        fill="currentColor"
        d="M2 0h22a2 2 0 0 1 2 2v4a3 3 0 0 0 0 6v4a2 2 0 0 1-2 2H2a2 2 0 0 1-2-2v-4a3 3 0 0 0 0-6V2a2 2 0 0 1 2-2Zm15 3v2h2V3Zm0 5v2h2V8Zm0 5v2h2v-2Z"
      />
    </svg>
  );
}

function Person() {
  return (
    <svg width="18" height="18" viewBox="0 0 18 18" aria-hidden="true">
      <path
        fill="currentColor"
        d="M9 9a4 4 0 1 0 0-8 4 4 0 0 0 0 8Zm0 2c-4 0-7.5 2-7.5 4.5V17h15v-1.5C16.5 13 13 11 9 11Z"
      />
    </svg>
  );
}
