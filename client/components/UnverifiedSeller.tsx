/** Shown when a listing is refused because the seller's e-mail address is not confirmed (REQUIRE_VERIFIED_SELLERS). */
import { useFocusOnShow } from "@/hooks/useFocusOnShow";
import { VerificationMail } from "./EmailState";
import { Notice } from "./Notice";

export function UnverifiedSeller({ email }: { email: string }) {
  // The button that was pressed is below the form, on a phone out of sight of this.
  const target = useFocusOnShow<HTMLDivElement>();
  return (
    <div ref={target} tabIndex={-1}>
      <Notice tone="warn" title="Confirm your e-mail address before you sell">
        <p>
          Open the link in the mail that we sent to <strong>{email}</strong>, and confirm the address. Then list your
          tickets here: what you have entered stays.
        </p>
        <VerificationMail />
      </Notice>
    </div>
  );
}
