/** One idempotency key per intended action: a second press after a lost response repeats the call and does not create a second one. */
import { ApiError } from "./api/errors";

export class Attempt {
  private meaning = "";
  private key = "";

  /** Calls `send` with the key for this input; a definite response ends the use of the key. */
  async run<Result>(input: unknown, send: (idempotencyKey: string) => Promise<Result>): Promise<Result> {
    const meaning = JSON.stringify(input);
    if (meaning !== this.meaning || !this.key) {
      this.meaning = meaning;
      this.key = newKey();
    }
    try {
      const result = await send(this.key);
      this.key = "";
      return result;
    } catch (error) {
      if (!(error instanceof ApiError && error.outcomeUnknown)) this.key = "";
      throw error;
    }
  }
}

/** 128 random bits; `crypto.randomUUID` does not exist on plain-HTTP origins other than localhost. */
export function newKey(): string {
  return Array.from(crypto.getRandomValues(new Uint8Array(16)), (byte) => byte.toString(16).padStart(2, "0")).join("");
}
