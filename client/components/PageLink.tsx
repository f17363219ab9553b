/**
 * A link within the product. Its target is fetched when a pointer or finger comes near, not for every visible link: Next
 * would also run the code of all those pages, which on a phone costs as much as rendering this one.
 */
import Link from "next/link";
import type { ComponentProps } from "react";

export function PageLink(props: Omit<ComponentProps<typeof Link>, "prefetch">) {
  return <Link {...props} prefetch={false} />;
}
