/** Buttons, and links that variant like them. */

import type { ComponentProps, ReactNode } from "react";
import styles from "./Button.module.css";
import { PageLink } from "./PageLink";

interface Appearance {
  variant?: "primary" | "secondary" | "danger";
  wide?: boolean;
  children: ReactNode;
}

function classes({ variant = "primary", wide = false }: Omit<Appearance, "children">): string {
  return [styles.button, styles[variant], wide && styles.wide].filter(Boolean).join(" ");
}

type ButtonProps = Appearance & { busy?: boolean } & Omit<ComponentProps<"button">, "className">;

/** While busy, the button keeps the focus (a disabled button would lose it) and ignores further presses. */
export function Button({ variant, wide, busy = false, children, onClick, type = "button", ...rest }: ButtonProps) {
  return (
    <button
      {...rest}
      type={type}
      className={classes({ ...(variant && { variant }), ...(wide && { wide }) })}
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

export function ButtonLink({ variant, wide, children, href }: Appearance & { href: string }) {
  return (
    <PageLink href={href} className={classes({ ...(variant && { variant }), ...(wide && { wide }) })}>
      {children}
    </PageLink>
  );
}
