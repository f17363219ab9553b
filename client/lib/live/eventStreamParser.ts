/** Parses the text/event-stream format (WHATWG HTML §9.2.6) from text that arrives in arbitrary chunks. */

export interface StreamEvent {
  type: string;
  /** The id to resume from after this event; undefined if the event has no id. */
  id: string | undefined;
  data: string;
}

export class EventStreamParser {
  /** The start of an incomplete line. */
  private rest = "";
  /** The last chunk ended with CR, which ends a line; an LF directly after it is part of the same line ending. */
  private afterCr = false;
  private started = false;
  private type = "";
  private id: string | undefined;
  private data: string[] = [];

  /** Returns the events that this chunk completes. Each character is processed once, whatever the length of a line. */
  push(chunk: string): StreamEvent[] {
    if (chunk === "") return [];
    let text = chunk;
    if (!this.started && text.startsWith("\uFEFF")) text = text.slice(1);
    else if (this.afterCr && text.startsWith("\n")) text = text.slice(1);
    this.started = true;
    this.afterCr = text.endsWith("\r");

    const [first = "", ...others] = text.split(/\r\n|\n|\r/);
    // Appending is cheap: engines join the string once, when the line is complete.
    this.rest += first;
    const events: StreamEvent[] = [];
    for (const next of others) {
      const event = this.take(this.rest);
      if (event) events.push(event);
      this.rest = next;
    }
    return events;
  }

  private take(line: string): StreamEvent | undefined {
    if (line === "") return this.dispatch();
    const colon = line.indexOf(":");
    // A line that begins with a colon is a comment, used as a heartbeat.
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
    // An id without data only changes the position to resume from.
    if (data.length === 0 && id === undefined) return;
    return { type: type || "message", id, data: data.join("\n") };
  }
}
