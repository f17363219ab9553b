const READ_WITHIN_MS = 60_000;

/** Offers `data` to the reader as a JSON file. */
export function downloadJson(data: unknown, filename: string): void {
  download(new Blob([JSON.stringify(data, null, 2)], { type: "application/json" }), filename);
}

/** Offers `text` to the reader as a file of plain text. */
export function downloadText(text: string, filename: string): void {
  download(new Blob([text], { type: "text/plain" }), filename);
}

function download(file: Blob, filename: string): void {
  const url = URL.createObjectURL(file);
  const link = document.createElement("a");
  link.href = url;
  link.download = filename;
  document.body.append(link);
  link.click();
  link.remove();
  // Some browsers begin to read the file only after the click has returned.
  setTimeout(() => URL.revokeObjectURL(url), READ_WITHIN_MS);
}
