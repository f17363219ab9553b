/** The event stream parser against a second implementation of the specification, which reads the whole text at once. */
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { EventStreamParser, type StreamEvent } from "@/lib/live/eventStreamParser";

/** WHATWG HTML §9.2.6, step by step: decode, split into lines, then fields; an incomplete last line is dropped. */
function parseWhole(stream: string): StreamEvent[] {
  const text = stream.replace(/^\uFEFF/, "");
  const events: StreamEvent[] = [];
  let event: Partial<Omit<StreamEvent, "data">> & { data?: string } = {};
  for (const [, line = ""] of text.matchAll(/([^\r\n]*)(?:\r\n|\r|\n)/g)) {
    if (line === "") {
      if (event.data !== undefined || event.id !== undefined)
        events.push({ type: event.type || "message", id: event.id, data: event.data ?? "" });
      event = {};
      continue;
    }
    const [, name = "", value = ""] = /^([^:]*)(?:: ?(.*))?$/s.exec(line) ?? [];
    if (name === "event") event.type = value;
    if (name === "data") event.data = event.data === undefined ? value : `${event.data}\n${value}`;
    if (name === "id" && !value.includes("\0")) event.id = value;
  }
  return events;
}

function parseInChunks(stream: string, sizes: number[]): StreamEvent[] {
  const parser = new EventStreamParser();
  const events: StreamEvent[] = [];
  let at = 0;
  for (let turn = 0; at < stream.length; turn++) {
    const size = sizes[turn % sizes.length] ?? 1;
    events.push(...parser.push(stream.slice(at, at + size)));
    at += size;
  }
  return events;
}

const line = fc.oneof(
  fc.constantFrom(
    "",
    "",
    "data",
    "data:",
    "data: x",
    "data:  y",
    "id: 7",
    "id",
    "id: a\0b",
    "event: ready",
    ":",
    ": z",
  ),
  fc.tuple(fc.constantFrom("data", "id", "event", "retry", "", "other"), fc.string()).map(([n, v]) => `${n}: ${v}`),
);
const stream = fc
  .tuple(
    fc.boolean(),
    fc.array(fc.tuple(line, fc.constantFrom("\n", "\r", "\r\n", "\n\r")), { maxLength: 30 }),
    fc.constantFrom("", "data: cut", "\uFEFF"),
  )
  .map(([mark, lines, rest]) => (mark ? "\uFEFF" : "") + lines.map((parts) => parts.join("")).join("") + rest);
const sizes = fc.array(fc.integer({ min: 0, max: 9 }), { minLength: 1, maxLength: 8 }).filter((s) => s.some(Boolean));

describe("an event stream", () => {
  it("is parsed to the same events in any chunks", () => {
    fc.assert(
      fc.property(stream, sizes, (text, cut) => {
        expect(parseInChunks(text, cut)).toEqual(parseWhole(text));
      }),
      { numRuns: 3_000 },
    );
  });

  it("yields an event as soon as its last character arrives, with any line endings", () => {
    for (const end of ["\n", "\r", "\r\n"]) {
      const parser = new EventStreamParser();
      expect(parser.push(`data: a${end}`)).toEqual([]);
      expect(parser.push(end)).toEqual([{ type: "message", id: undefined, data: "a" }]);
      expect(parser.push(`data: b${end}${end}`)).toEqual([{ type: "message", id: undefined, data: "b" }]);
    }
  });

  it("is parsed in linear time", () => {
    // CPU time of this process, which does not grow with what else the machine does.
    const milliseconds = (size: number) => {
      const text = `data: ${"x".repeat(size)}\n\n`;
      const before = process.cpuUsage();
      expect(parseInChunks(text, [100])).toHaveLength(1);
      const { user, system } = process.cpuUsage(before);
      return (user + system) / 1_000;
    };
    milliseconds(100_000);
    const small = Math.min(...[1, 2, 3, 4, 5].map(() => milliseconds(100_000)));
    const large = Math.min(...[1, 2, 3, 4, 5].map(() => milliseconds(800_000)));
    // Eight times the size: about 8 when linear, 64 when quadratic.
    expect(large / Math.max(small, 1)).toBeLessThan(30);
  });
});
