/** Reads the text/event-stream format (WHATWG HTML §9.2.6) out of a text that arrives in arbitrary pieces. */

export interface StreamEvent {
  type: string;
  /** What to resume from after this event; undefined when the event brought none. */
  id: string | undefined;
  data: string;
}

export class EventStreamParser {
  private rest = "";
  private type = "";
  private id: string | undefined;
  private data: string[] = [];

  /** The events that this piece completes. */
  push(text: string): StreamEvent[] {
    const lines = (this.rest + text).split(/\r\n|\n|\r(?!$)/);
    this.rest = lines.pop() ?? "";
    return lines.flatMap((line) => this.take(line) ?? []);
  }

  private take(line: string): StreamEvent | undefined {
    if (line === "") return this.dispatch();
    const colon = line.indexOf(":");
    // A line that begins with a colon is a comment: it only shows that the connection lives.
    if (colon === 0) return;
    const field = colon < 0 ? line : line.slice(0, colon);
    const value = colon < 0 ? "" : line.slice(colon + 1).replace(/^ /, "");
    if (field === "event") this.type = value;
    else if (field === "data") this.data.push(value);
    else if (field === "id" && !value.includes("\0")) this.id = value;
  }

  private dispatch(): StreamEvent | undefined {
    const { type, id, data } = this;
    this.type = "";
    this.id = undefined;
    this.data = [];
    // An id without data moves the place to resume from, and says nothing else.
    if (data.length === 0 && id === undefined) return;
    return { type: type || "message", id, data: data.join("\n") };
  }
}
