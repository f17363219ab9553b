/**
 * Reads a request body completely before forwarding it. The forwarded request then has one length, set by us, whatever
 * the caller's headers say (RFC 9112 §11.2, request smuggling); an interrupted upload reaches no service.
 */
import type { IncomingMessage } from "node:http";

export class BodyTooLargeError extends Error {
  override readonly name = "BodyTooLargeError";

  constructor(readonly maxBytes: number) {
    super(`At most ${maxBytes.toLocaleString("en")} bytes are read.`);
  }
}

/** The body has a transfer coding that we do not decode (RFC 9112 §6.1); a service would read it as plain content. */
export class TransferCodingError extends Error {
  override readonly name = "TransferCodingError";
}

/** The memory for bodies that are being read is used up. */
export class BodiesFullError extends Error {
  override readonly name = "BodiesFullError";

  constructor() {
    super(`request bodies use ${MAX_HELD_BYTES} bytes, the limit`);
  }
}

/** The caller disconnected before the end of the body. */
export class CallerGoneError extends Error {
  override readonly name = "CallerGoneError";
}

/** The memory that every body may use without a reservation; nearly all bodies fit. The number of connections limits the sum. */
export const FIRST_BYTES = 4 * 1024;

/** The memory for longer bodies, of all requests together: slow uploads cannot use up the process's memory or block small bodies. */
export const MAX_HELD_BYTES = 32 * 1024 * 1024;

/** After an error response, this much more is read and discarded; a caller that is still sending would lose the response otherwise. */
const MAX_DISCARDED_BYTES = 1024 * 1024;

let held = 0;

/**
 * Calls `use` with the whole body and returns its result.
 * Throws BodyTooLargeError (before reading, if Content-Length is too large), TransferCodingError, BodiesFullError or
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
    // The promise is settled by the first event only.
    incoming.once("error", () => reject(new CallerGoneError()));
    incoming.once("close", () => reject(new CallerGoneError()));
  });
}

/** A buffer that doubles its size: a body of many small chunks costs neither an object nor a copy per chunk. */
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

/** Discards the rest of a refused body, so that the response arrives; disconnects a caller that sends too much. */
export function discardBody(incoming: IncomingMessage): void {
  let discarded = 0;
  incoming.on("error", () => {});
  incoming.on("data", (chunk: Buffer) => {
    discarded += chunk.length;
    if (discarded > MAX_DISCARDED_BYTES) incoming.destroy();
  });
}
