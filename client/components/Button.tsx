/** Buttons, and links that look like them. */

import type { ComponentProps, ReactNode } from "react";
import styles from "./Button.module.css";
import { PageLink } from "./PageLink";

interface Look {
  look?: "primary" | "secondary" | "danger";
  wide?: boolean;
  children: ReactNode;
}

function classes({ look = "primary", wide = false }: Omit<Look, "children">): string {
  return [styles.button, styles[look], wide && styles.wide].filter(Boolean).join(" ");
}

type ButtonProps = Look & { busy?: boolean } & Omit<ComponentProps<"button">, "className">;

/** While busy it keeps the focus (a disabled button would lose it) but takes no second press. */
export function Button({ look, wide, busy = false, children, onClick, type = "button", ...rest }: ButtonProps) {
  return (
    <button
      {...rest}
      type={type}
      className={classes({ ...(look && { look }), ...(wide && { wide }) })}
      aria-disabled={busy || undefined}
      aria-busy={busy || undefined}
      onClick={(event) => {
        if (busy) event.preventDefault();
        else onClick?.(event);
      }}
    >
      {busy && <span className={styles.spinner} aria-hidden="true" />}
      {children}
    </button>
  );
}

export function ButtonLink({ look, wide, children, href }: Look & { href: string }) {
  return (
    <PageLink href={href} className={classes({ ...(look && { look }), ...(wide && { wide }) })}>
      {children}
    </PageLink>
  );
}
