const READ_WITHIN_MS = 60_000;

/** Offers `text` to the reader as a file. */
export function download(text: string, type: "application/json" | "text/plain", filename: string): void {
  const url = URL.createObjectURL(new Blob([text], { type }));
  const link = document.createElement("a");
  link.href = url;
  link.download = filename;
  document.body.append(link);
  link.click();
  link.remove();
  // Some browsers begin to read the file only after the click has returned.
  setTimeout(() => URL.revokeObjectURL(url), READ_WITHIN_MS);
}
