/** The words of a text as GET /api/tickets searches for them: tickets' `words_of`, rule for rule. */

/** Only the first ten words of a search count. */
export const MOST_WORDS = 10;

/** Letters that readers type without the stroke, and that Unicode does not decompose. */
const STROKES: Record<string, string> = {
  ø: "o",
  ł: "l",
  đ: "d",
  ħ: "h",
  ı: "i",
  æ: "ae",
  œ: "oe",
  þ: "th",
};

/** Each word once, without case and accents: "Émile" is "emile", "Straße" is "strasse". */
export function wordsOf(text: string): string[] {
  const letters = Array.from(
    text.normalize("NFKD").replace(/\p{M}/gu, (mark) => (isCombining(mark) ? "" : mark)),
    fold,
  );
  const words = letters.join("").match(/[\p{L}\p{N}]+/gu) ?? [];
  return [...new Set(words)];
}

/**
 * Case folding of one letter. Lower case alone does not unite "ß", "ς" and others with letters that have the same upper
 * case; letter by letter, because the lower case of a sigma depends on its position in the word.
 */
function fold(letter: string): string {
  const folded = letter.toLowerCase().toUpperCase().toLowerCase();
  return STROKES[folded] ?? folded;
}

/**
 * Whether the mark has a combining class (accents), unlike a vowel sign of an Indic script, which ends a word.
 * Normalisation reorders marks of different classes, and never a mark without one: U+0334 has class 1, U+0301 class 230.
 */
function isCombining(mark: string): boolean {
  return [`${mark}\u0334`, `\u0301${mark}`].some((pair) => pair.normalize("NFD") !== pair);
}
