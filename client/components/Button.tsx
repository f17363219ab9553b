/** Buttons, and links that look like them. */
import type { ComponentProps, ReactNode } from "react";
import styles from "./Button.module.css";
import { PageLink } from "./PageLink";

interface Appearance {
  variant?: "primary" | "secondary" | "danger" | undefined;
  wide?: boolean | undefined;
}

function classes({ variant = "primary", wide = false }: Appearance): string {
  // Buttons do nothing in print.
  return [styles.button, styles[variant], wide && styles.wide, "screenOnly"].filter(Boolean).join(" ");
}

interface ButtonState {
  /** The action runs. */
  busy?: boolean;
  /** The action is not possible now. */
  inactive?: boolean;
}

type ButtonProps = Appearance & ButtonState & Omit<ComponentProps<"button">, "className">;

/** While busy or inactive, the button keeps the focus (a disabled button would lose it) and ignores presses. */
export function Button({
  variant,
  wide,
  busy = false,
  inactive = false,
  children,
  onClick,
  type = "button",
  ...rest
}: ButtonProps) {
  return (
    <button
      {...rest}
      type={type}
      className={classes({ variant, wide })}
      aria-disabled={busy || inactive || undefined}
      aria-busy={busy || undefined}
      onClick={(event) => {
        if (busy || inactive) event.preventDefault();
        else onClick?.(event);
      }}
    >
      {busy && <span className={styles.spinner} aria-hidden="true" />}
      {children}
    </button>
  );
}

export function ButtonLink({ href, children, ...appearance }: Appearance & { href: string; children: ReactNode }) {
  return (
    <PageLink href={href} className={classes(appearance)}>
      {children}
    </PageLink>
  );
}
