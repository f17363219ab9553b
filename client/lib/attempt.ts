/** One idempotency key per thing the user meant to do: pressing again after a lost answer repeats the call, it does not double it. */
import { ApiError } from "./api/errors";

export class Attempt {
  private meaning = "";
  private key = "";

  /** Runs `send` with the key that belongs to this input; the key is spent once the server has given a definite answer. */
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

/** 128 random bits; `crypto.randomUUID` is missing on plain-HTTP origins other than localhost. */
function newKey(): string {
  return Array.from(crypto.getRandomValues(new Uint8Array(16)), (byte) => byte.toString(16).padStart(2, "0")).join("");
}
