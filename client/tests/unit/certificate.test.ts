/** The client's own server with a certificate: HTTPS only, with the same limits, and renewed without a restart. */
import { execFile, execFileSync } from "node:child_process";
import { copyFileSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { request } from "node:https";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { connect } from "node:tls";
import { promisify } from "node:util";
import { afterEach, beforeEach, expect, it, vi } from "vitest";
import { BOUNDS, boundedServer } from "@/lib/server/bounds";
import { certificateFiles, secureServers } from "@/lib/server/certificate";
import { callerOf } from "@/lib/server/forwarded";
import { serveWith } from "./servers";
import { RawCaller } from "./wire";

let folder: string;
let port: number;
let served: { cert: string; key: string };

beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), "certificate-"));
  for (const name of ["first", "second"]) makeCertificate(name);
  served = { cert: join(folder, "tls.crt"), key: join(folder, "tls.key") };
  mount("first", "first");
  const server = boundedServer(
    (incoming, outgoing) => outgoing.end(callerOf(incoming).scheme),
    BOUNDS,
    secureServers(served),
  );
  await serveWith(server);
  port = (server.address() as AddressInfo).port;
});

afterEach(() => {
  rmSync(folder, { recursive: true });
});

function makeCertificate(name: string): void {
  const [cert, key] = [join(folder, `${name}.crt`), join(folder, `${name}.key`)];
  const subject = ["-subj", `/CN=${name}`, "-addext", "subjectAltName=DNS:client,DNS:localhost"];
  execFileSync(
    "openssl",
    ["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2"].concat(
      subject,
      ["-keyout", key, "-out", cert],
    ),
    { stdio: "pipe" },
  );
}

function mount(certificate: string, key: string): void {
  copyFileSync(join(folder, `${certificate}.crt`), served.cert);
  copyFileSync(join(folder, `${key}.key`), served.key);
}

/** The response to a new connection that trusts this certificate only. */
function ask(trusted: string): Promise<{ body: string; headers: NodeJS.Dict<string | string[]> }> {
  const ca = readFileSync(join(folder, `${trusted}.crt`));
  return new Promise((resolve, reject) => {
    request({ host: "127.0.0.1", port, servername: "client", ca, agent: false }, async (answer) => {
      let body = "";
      for await (const part of answer) body += part;
      resolve({ body, headers: answer.headers });
    })
      .on("error", reject)
      .end();
  });
}

it("answers over TLS, with the headers of every response, and not in the clear", async () => {
  const { body, headers } = await ask("first");
  expect(body).toBe("https");
  expect(headers["x-content-type-options"]).toBe("nosniff");

  const clear = new RawCaller(`http://127.0.0.1:${port}`).send("GET / HTTP/1.1\r\nHost: client\r\n\r\n");
  expect(await clear.received()).not.toContain("200 OK");
});

it("serves a renewed certificate from the next connection on, and the one before while the files do not match", async () => {
  const errors = vi.spyOn(console, "error").mockImplementation(() => {});
  const open = connect({ port, host: "127.0.0.1", servername: "client", ca: readFileSync(join(folder, "first.crt")) });
  await new Promise((resolve, reject) => open.once("secureConnect", resolve).once("error", reject));

  mount("second", "first");
  expect((await ask("first")).body).toBe("https");
  expect((await ask("first")).body).toBe("https");
  expect(errors).toHaveBeenCalledExactlyOnceWith(expect.stringContaining("certificate not renewed"));

  mount("second", "second");
  expect((await ask("second")).body).toBe("https");
  await expect(ask("first")).rejects.toThrow();

  open.write("GET / HTTP/1.1\r\nHost: client\r\nConnection: close\r\n\r\n");
  let text = "";
  for await (const part of open) text += part;
  expect(text).toContain("200 OK");
});

it("needs both settings, or none", () => {
  expect(certificateFiles()).toBeNull();
  vi.stubEnv("TLS_CERT_FILE", served.cert);
  expect(certificateFiles).toThrow("TLS_KEY_FILE");
  vi.stubEnv("TLS_KEY_FILE", served.key);
  expect(certificateFiles()).toEqual(served);
});

/** The variables of the client in the production manifests, with the CA in `caFile`. */
function productionVariables(caFile: string): Record<string, string> {
  const manifest = readFileSync(join(import.meta.dirname, "../../../infra/k8s/components/https/client.yaml"), "utf8");
  const pairs = [...manifest.matchAll(/- name: ([A-Z_]+)\n\s+value: "?([^"\n]+)/g)].map(([, name, value]) => [
    name,
    value?.replace("/etc/service-tls/ca.crt", caFile),
  ]);
  return Object.fromEntries(pairs);
}

it("calls services with the variables of production: only the installation's CA is trusted, for the service's name", async () => {
  const script = `
    import { request } from "undici";
    const outcome = (promise) => promise.then(() => "answered", (error) => error.cause?.code ?? error.code);
    const { PORT, NAME } = process.env;
    const address = \`https://\${NAME}:\${PORT}\`;
    console.log(JSON.stringify([await outcome(fetch(address)), await outcome(request(address))]));`;
  const outcomes = async (ca: string, name: string): Promise<unknown> => {
    const variables = productionVariables(join(folder, `${ca}.crt`));
    expect(Object.keys(variables)).toEqual(expect.arrayContaining(["NODE_OPTIONS", "SSL_CERT_FILE", "SSL_CERT_DIR"]));
    const { stdout } = await promisify(execFile)(process.execPath, ["--input-type=module", "-e", script], {
      cwd: join(import.meta.dirname, "../.."),
      env: { ...process.env, ...variables, PORT: String(port), NAME: name },
    });
    return JSON.parse(stdout);
  };
  expect(await outcomes("first", "localhost")).toEqual(["answered", "answered"]);
  expect(await outcomes("second", "localhost")).toEqual(["DEPTH_ZERO_SELF_SIGNED_CERT", "DEPTH_ZERO_SELF_SIGNED_CERT"]);
  expect(await outcomes("first", "127.0.0.1")).toEqual([
    "ERR_TLS_CERT_ALTNAME_INVALID",
    "ERR_TLS_CERT_ALTNAME_INVALID",
  ]);
});
