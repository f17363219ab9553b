/** Validates and formats typed card data before it leaves the browser. */
import type { CardData } from "./stripeDouble";

export interface CardProblems {
  number?: string;
  expiry?: string;
  cvc?: string;
}

/** Groups of four as printed on the card: "4242424242" becomes "4242 4242 42". */
export function groupNumber(text: string): string {
  return text
    .replace(/\D/g, "")
    .slice(0, 16)
    .replace(/(\d{4})(?=\d)/g, "$1 ");
}

/** "1230" becomes "12 / 30". */
export function groupExpiry(text: string): string {
  const digits = text.replace(/\D/g, "").slice(0, 4);
  return digits.length > 2 ? `${digits.slice(0, 2)} / ${digits.slice(2)}` : digits;
}

export function readCard(number: string, expiry: string, cvc: string, now: Date): CardData | CardProblems {
  const digits = number.replace(/\D/g, "");
  const [, month = "", year = ""] = expiry.match(/^\s*(\d{1,2})\s*\/?\s*(\d{2})\s*$/) ?? [];
  const problems: CardProblems = {};
  if (digits.length !== 16) problems.number = "Enter all 16 digits of the card number.";
  if (!month || Number(month) < 1 || Number(month) > 12)
    problems.expiry = "Enter the month and year, for example 12 / 30.";
  // A card is valid until the end of its month.
  else if (new Date(2000 + Number(year), Number(month), 1) <= now) problems.expiry = "This card has expired.";
  if (!/^\d{3}$/.test(cvc.trim())) problems.cvc = "Enter the three-digit security code.";
  if (Object.keys(problems).length > 0) return problems;
  return { number: digits, exp_month: month, exp_year: `20${year}`, cvc: cvc.trim() };
}

export function isCard(read: CardData | CardProblems): read is CardData {
  return "exp_month" in read;
}
