/** Keeps a form's input while the user signs in again; only in this tab, and never a password or a code. */

const PREFIX = "draft:";

export function saveDraft(path: string, data: FormData): void {
  const fields = [...data].filter(([name, value]) => !/password|^code$/i.test(name) && typeof value === "string");
  try {
    sessionStorage.setItem(PREFIX + path, JSON.stringify(Object.fromEntries(fields)));
  } catch {
    // Storage is full or disabled: the form works without drafts.
  }
}

/** Saves the input of every form on the page that restores drafts, because the page is about to be replaced. */
export function saveDraftsOfPage(path: string): void {
  for (const form of document.querySelectorAll<HTMLFormElement>("form[data-draft]"))
    saveDraft(path, new FormData(form));
}

/** Restores a draft into the form's inputs, once. */
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
    // Fields with dependent content must see the change.
    input.dispatchEvent(new Event("input", { bubbles: true }));
  }
}
