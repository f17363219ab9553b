/** Plain card fields for the local Stripe double, with buttons that fill in its test cards. */
import { type Ref, useEffect, useImperativeHandle, useRef, useState } from "react";
import { groupExpiry, groupNumber, isCard, readCard } from "@/lib/payments/cardData";
import { type CardEntry, CardInputError } from "@/lib/payments/cardEntry";
import { doubleCardEntry, TEST_CARDS } from "@/lib/payments/stripeDouble";
import page from "@/styles/page.module.css";
import styles from "./DoubleCardFields.module.css";
import { TextField } from "./Field";

interface Props {
  scriptUrl: string;
  publishableKey: string;
  ref: Ref<CardEntry>;
}

export function DoubleCardFields({ scriptUrl, publishableKey, ref }: Props) {
  const [number, setNumber] = useState("");
  const [expiry, setExpiry] = useState("");
  const [cvc, setCvc] = useState("");
  /** The number of submissions without valid card data. */
  const [refusals, setRefusals] = useState(0);
  const fields = useRef<HTMLDivElement>(null);
  const card = readCard(number, expiry, cvc, new Date());
  const problems = refusals > 0 && !isCard(card) ? card : {};

  useImperativeHandle(
    ref,
    () =>
      doubleCardEntry(scriptUrl, publishableKey, () => {
        if (isCard(card)) return card;
        setRefusals((count) => count + 1);
        throw new CardInputError("Please check your card details.");
      }),
    [scriptUrl, publishableKey, card],
  );

  useEffect(() => {
    if (refusals > 0) fields.current?.querySelector<HTMLElement>("[aria-invalid=true]")?.focus();
  }, [refusals]);

  function fill(testNumber: string) {
    setNumber(groupNumber(testNumber));
    setExpiry("12 / 34");
    setCvc("123");
  }

  return (
    <div ref={fields} className={page.fields}>
      <div className={styles.test}>
        <p>Test mode: no real card is charged. Use one of these cards:</p>
        <ul>
          {TEST_CARDS.map((test) => (
            <li key={test.number}>
              <button type="button" className={styles.fill} onClick={() => fill(test.number)}>
                {test.label} <span className={styles.number}>{groupNumber(test.number)}</span>
              </button>
            </li>
          ))}
        </ul>
      </div>
      <TextField
        label="Card number"
        name="number"
        inputMode="numeric"
        autoComplete="off"
        placeholder="4242 4242 4242 4242"
        value={number}
        onChange={(event) => setNumber(groupNumber(event.target.value))}
        error={problems.number}
      />
      <div className={styles.pair}>
        <TextField
          label="Expires"
          name="expiry"
          inputMode="numeric"
          autoComplete="off"
          placeholder="MM / YY"
          value={expiry}
          onChange={(event) => setExpiry(groupExpiry(event.target.value))}
          error={problems.expiry}
        />
        <TextField
          label="CVC"
          name="cvc"
          inputMode="numeric"
          autoComplete="off"
          placeholder="123"
          maxLength={3}
          value={cvc}
          onChange={(event) => setCvc(event.target.value)}
          error={problems.cvc}
        />
      </div>
    </div>
  );
}
