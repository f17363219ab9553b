/**
 * Reads a request body completely before forwarding it. The forwarded request then has one length, set by us, whatever
 * the caller's headers say (RFC 9112 §11.2, request smuggling); an interrupted upload reaches no service.
 */
import type { IncomingMessage } from "node:http";
import { RefusedError } from "./refusals";

/** The caller disconnected before the end of the body. */
export class CallerGoneError extends Error {
  override readonly name = "CallerGoneError";
}

/** The memory that every body may use without a reservation; nearly all bodies fit. The number of connections limits the sum. */
export const FIRST_BYTES = 4 * 1024;

/** The memory for longer bodies, of all requests together: slow uploads cannot use up the process's memory or block small bodies. */
export const MAX_HELD_BYTES = 32 * 1024 * 1024;

let held = 0;

/**
 * Calls `use` with the whole body and returns its result.
 * Throws CallerGoneError, or RefusedError for a body that is too large (before reading, if Content-Length says so), for a
 * transfer coding other than chunked, and while the memory for bodies is used up.
 */
export async function withBody<T>(
  incoming: IncomingMessage,
  maxBytes: number,
  use: (body: Buffer) => Promise<T>,
): Promise<T> {
  const { "content-length": length = "0", "transfer-encoding": coding = "chunked" } = incoming.headers;
  // A service would read the body of another coding, which is not decoded here, as plain content (RFC 9112 §6.1).
  if (coding.toLowerCase() !== "chunked") {
    const detail = "The only supported transfer coding is chunked.";
    throw new RefusedError({ status: 400, title: "Bad request", detail });
  }
  if (Number(length) > maxBytes) throw tooLarge(maxBytes);
  const body = new GrowingBody(maxBytes);
  try {
    await read(incoming, body);
    return await use(body.bytes());
  } finally {
    body.release();
  }
}

function tooLarge(maxBytes: number): RefusedError {
  const detail = `At most ${maxBytes.toLocaleString("en")} bytes are read.`;
  return new RefusedError({ status: 413, title: "The request is too large", detail });
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
    if (length > this.maxBytes) throw tooLarge(this.maxBytes);
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
    if (held + more > MAX_HELD_BYTES) {
      const detail = "Too many requests are being received. Try again shortly.";
      const message = `request bodies use ${MAX_HELD_BYTES} bytes, the limit`;
      throw new RefusedError({ status: 503, title: "Too busy", detail }, message);
    }
    held += more;
    this.counted += more;
    const larger = Buffer.allocUnsafeSlow(size);
    this.block.copy(larger, 0, 0, this.length);
    this.block = larger;
  }
}
