/**
 * Reads a request body whole before any of it goes on. What is sent on then has one length, stated by us, whatever the
 * caller wrote about it (RFC 9112 §11.2, request smuggling); an upload that breaks off reaches no service.
 */
import type { IncomingMessage } from "node:http";

export class BodyTooLargeError extends Error {
  override readonly name = "BodyTooLargeError";

  constructor(readonly maxBytes: number) {
    super(`At most ${maxBytes.toLocaleString("en")} bytes are read.`);
  }
}

/** The body is coded in a way that we do not decode (RFC 9112 §6.1); passed on it would be taken for plain. */
export class TransferCodingError extends Error {
  override readonly name = "TransferCodingError";
}

/** Too many bodies are being read at the same time. */
export class BodiesFullError extends Error {
  override readonly name = "BodiesFullError";

  constructor() {
    super(`request bodies that are being read take ${MAX_HELD_BYTES} bytes`);
  }
}

/** The caller broke off before the end of the body. */
export class CallerGoneError extends Error {
  override readonly name = "CallerGoneError";
}

/** What every body may take at once; nearly all of ours fit. The number of connections bounds the sum. */
export const FIRST_BYTES = 4 * 1024;

/** Memory for what is longer, of all requests together: slow uploads take neither the process's memory nor small bodies' place. */
export const MAX_HELD_BYTES = 32 * 1024 * 1024;

/** After a refusal so much more is read and thrown away; a connection closed under a sender's hands loses the answer. */
const MAX_DISCARDED_BYTES = 1024 * 1024;

let held = 0;

/**
 * Calls `use` with the whole body and gives what it gives.
 * Throws BodyTooLargeError (before reading, where the length is announced), TransferCodingError, BodiesFullError or
 * CallerGoneError.
 */
export async function withBody<T>(
  incoming: IncomingMessage,
  maxBytes: number,
  use: (body: Buffer) => Promise<T>,
): Promise<T> {
  const { "content-length": length = "0", "transfer-encoding": coding = "chunked" } = incoming.headers;
  if (coding.toLowerCase() !== "chunked") throw new TransferCodingError();
  if (Number(length) > maxBytes) throw new BodyTooLargeError(maxBytes);
  const body = new GrowingBody(maxBytes);
  try {
    await read(incoming, body);
    return await use(body.bytes());
  } finally {
    body.release();
  }
}

function read(incoming: IncomingMessage, body: GrowingBody): Promise<void> {
  return new Promise((resolve, reject) => {
    const take = (chunk: Buffer): void => {
      try {
        body.append(chunk);
      } catch (error) {
        incoming.off("data", take);
        reject(error);
      }
    };
    incoming.on("data", take);
    incoming.once("end", resolve);
    // What comes second, after the end or a refusal, changes nothing any more.
    incoming.once("error", () => reject(new CallerGoneError()));
    incoming.once("close", () => reject(new CallerGoneError()));
  });
}

/** Bytes in one block that doubles: a body of many small chunks costs neither an object nor a copy for each. */
class GrowingBody {
  private block = Buffer.alloc(0);
  private length = 0;
  private counted = 0;

  constructor(private readonly maxBytes: number) {}

  append(chunk: Buffer): void {
    const length = this.length + chunk.length;
    if (length > this.maxBytes) throw new BodyTooLargeError(this.maxBytes);
    if (length > this.block.length) {
      this.grow(Math.min(this.maxBytes, Math.max(FIRST_BYTES, 2 * this.block.length, length)));
    }
    chunk.copy(this.block, this.length);
    this.length = length;
  }

  bytes(): Buffer {
    return this.block.subarray(0, this.length);
  }

  release(): void {
    held -= this.counted;
    this.counted = 0;
    this.block = Buffer.alloc(0);
  }

  private grow(size: number): void {
    const more = Math.max(0, size - FIRST_BYTES) - this.counted;
    if (held + more > MAX_HELD_BYTES) throw new BodiesFullError();
    held += more;
    this.counted += more;
    const larger = Buffer.allocUnsafeSlow(size);
    this.block.copy(larger, 0, 0, this.length);
    this.block = larger;
  }
}

/** Lets the caller finish sending what was refused, so that the answer arrives; hangs up on one that sends without end. */
export function discardBody(incoming: IncomingMessage): void {
  let discarded = 0;
  incoming.on("error", () => {});
  incoming.on("data", (chunk: Buffer) => {
    discarded += chunk.length;
    if (discarded > MAX_DISCARDED_BYTES) incoming.destroy();
  });
}
