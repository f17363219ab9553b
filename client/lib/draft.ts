/** Keeps what was typed while its author signs in again; only for this tab, and never a password. */

const PREFIX = "draft:";

export function saveDraft(path: string, data: FormData): void {
  const fields = [...data].filter(([name, value]) => name !== "password" && typeof value === "string");
  try {
    sessionStorage.setItem(PREFIX + path, JSON.stringify(Object.fromEntries(fields)));
  } catch {
    // Storage is full or forbidden: the form works without it.
  }
}

/** Puts a draft back into the form's inputs, once. */
export function restoreDraft(path: string, form: HTMLFormElement): void {
  let text: string | null = null;
  try {
    text = sessionStorage.getItem(PREFIX + path);
    sessionStorage.removeItem(PREFIX + path);
  } catch {
    // As above.
  }
  if (!text) return;
  for (const [name, value] of Object.entries(JSON.parse(text) as Record<string, string>)) {
    const input = form.elements.namedItem(name);
    if (
      !(input instanceof HTMLInputElement || input instanceof HTMLTextAreaElement || input instanceof HTMLSelectElement)
    )
      continue;
    input.value = value;
    // A field may show something about its value.
    input.dispatchEvent(new Event("input", { bubbles: true }));
  }
}
