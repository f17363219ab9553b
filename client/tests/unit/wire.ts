/** Both ends of the gateway as raw bytes: a caller that writes any bytes, and a service that counts what it receives. */
import * as net from "node:net";
import { afterEach } from "vitest";

export interface Received {
  method: string;
  target: string;
  headers: Record<string, string>;
  body: string;
  /** The number of the connection that it came on, from 0. */
  connection: number;
}

/** Returns the bytes of a response; the default one repeats the request line and the connection's number. */
type Answer = (request: Received) => string | null;

/** A service that parses HTTP/1.1 strictly (RFC 9112 §6) and keeps connections open. */
export class RawService {
  readonly requests: Received[] = [];
  /** Received bytes that are not a valid request. */
  readonly rubbish: string[] = [];
  answer: Answer = repeat;
  address = "";
  private connections = 0;
  private readonly sockets = new Set<net.Socket>();
  private readonly server = net.createServer((socket) => this.serve(socket));

  static async start(): Promise<RawService> {
    const service = new RawService();
    await new Promise<void>((resolve) => service.server.listen(0, "127.0.0.1", resolve));
    service.address = `http://127.0.0.1:${(service.server.address() as net.AddressInfo).port}`;
    started.push(service);
    return service;
  }

  /** Closes all its connections; new ones are accepted. */
  hangUp(): void {
    for (const socket of this.sockets) socket.destroy();
  }

  async stop(): Promise<void> {
    this.hangUp();
    await new Promise((resolve) => this.server.close(resolve));
  }

  private serve(socket: net.Socket): void {
    const connection = this.connections++;
    let pending = "";
    this.sockets.add(socket);
    socket.setEncoding("latin1");
    socket.on("error", () => {});
    socket.on("data", (data) => {
      pending += data;
      for (;;) {
        const parsed = parse(pending, connection);
        if (parsed === "incomplete") return;
        if (parsed === "invalid") {
          this.rubbish.push(pending);
          socket.destroy();
          return;
        }
        pending = pending.slice(parsed.size);
        this.requests.push(parsed.request);
        const answer = this.answer(parsed.request);
        if (answer === null) socket.destroy();
        else socket.write(answer, "latin1");
      }
    });
  }
}

const started: RawService[] = [];

afterEach(async () => {
  await Promise.all(started.splice(0).map((service) => service.stop()));
});

function repeat({ method, target, headers }: Received): string {
  const body = `${target} for ${headers.cookie ?? "-"}`;
  return `HTTP/1.1 200 OK\r\nContent-Length: ${body.length}\r\n\r\n${method === "HEAD" ? "" : body}`;
}

type Parsed = { request: Received; size: number } | "incomplete" | "invalid";

function parse(bytes: string, connection: number): Parsed {
  const end = bytes.indexOf("\r\n\r\n");
  if (end < 0) return "incomplete";
  const [start = "", ...lines] = bytes.slice(0, end).split("\r\n");
  const [method, target] = start.match(/^([A-Z]+) (\S+) HTTP\/1\.1$/)?.slice(1) ?? [];
  if (!method || !target) return "invalid";
  const headers: Record<string, string> = {};
  for (const line of lines) {
    const [name = "", value = ""] = line.split(/:\s*(.*)/s);
    if (name.toLowerCase() in headers) return "invalid"; // the gateway joins lines of one name
    headers[name.toLowerCase()] = value;
  }
  const content = contentOf(bytes.slice(end + 4), headers);
  if (typeof content === "string") return content;
  return { request: { method, target, headers, body: content.body, connection }, size: end + 4 + content.size };
}

function contentOf(rest: string, headers: Record<string, string>) {
  const { "transfer-encoding": coding, "content-length": length } = headers;
  if (coding !== undefined) return length === undefined && coding === "chunked" ? chunked(rest) : ("invalid" as const);
  const size = Number(length ?? 0);
  return rest.length < size ? ("incomplete" as const) : { body: rest.slice(0, size), size };
}

function chunked(rest: string) {
  let body = "";
  for (let at = 0; ; ) {
    const lineEnd = rest.indexOf("\r\n", at);
    if (lineEnd < 0) return "incomplete" as const;
    const size = Number.parseInt(rest.slice(at, lineEnd), 16);
    const next = lineEnd + 2 + size + 2;
    if (rest.length < next) return "incomplete" as const;
    body += rest.slice(lineEnd + 2, lineEnd + 2 + size);
    if (size === 0) return { body, size: next };
    at = next;
  }
}

/** A caller's connection. */
export class RawCaller {
  private readonly socket: net.Socket;
  private text = "";
  private closed = false;
  private wake = (): void => {};

  constructor(address: string) {
    const { hostname, port } = new URL(address);
    this.socket = net.connect(Number(port), hostname);
    this.socket.setEncoding("latin1");
    this.socket.on("error", () => {});
    this.socket.on("data", (data) => {
      this.text += data;
      this.wake();
    });
    this.socket.on("close", () => {
      this.closed = true;
      this.wake();
    });
    open.push(this.socket);
  }

  send(bytes: string): this {
    this.socket.write(bytes, "latin1");
    return this;
  }

  /** Sends nothing more, but still reads. */
  end(): void {
    this.socket.end();
  }

  hangUp(): void {
    this.socket.destroy();
  }

  /** Everything received, once `enough` returns true for it or the other end closes. */
  async received(enough: (text: string) => boolean = () => false): Promise<string> {
    while (!this.closed && !enough(this.text)) await new Promise<void>((resolve) => (this.wake = resolve));
    return this.text;
  }

  /** The status of the final response; 0 if the connection was closed without one. */
  async status(): Promise<number> {
    const final = /^(?:HTTP\/1\.1 1\d\d [^\r]*\r\n(?:[^\r]+\r\n)*\r\n)*HTTP\/1\.1 ([2-5]\d\d) (?:[^\r]*\r\n)+\r\n/;
    const text = await this.received((received) => final.test(received));
    return Number(final.exec(text)?.[1] ?? 0);
  }
}

const open: net.Socket[] = [];

afterEach(() => {
  for (const socket of open.splice(0)) socket.destroy();
});
