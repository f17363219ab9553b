/** The link from a detail page to its list. */

import type { ReactNode } from "react";
import styles from "./BackLink.module.css";
import { PageLink } from "./PageLink";

export function BackLink({ href, children }: { href: string; children: ReactNode }) {
  return (
    <div>
      <PageLink href={href} className={`${styles.back} screenOnly`}>
        <svg width="8" height="14" viewBox="0 0 8 14" aria-hidden="true">
          <path d="M7 1 1 7l6 6" fill="none" stroke="currentColor" strokeWidth="2" strokeLinecap="round" />
        </svg>
        {children}
      </PageLink>
    </div>
  );
}
