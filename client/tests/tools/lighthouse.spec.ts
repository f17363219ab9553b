/**
 * Measures the main pages with Lighthouse, on its simulated phone and on a desktop, and prints a table of the medians of
 * RUNS runs. It has no limits that could fail: the figures depend on the machine and its load. Lighthouse is fetched for
 * this command only: as a dependency it would add more packages than the whole client has.
 */
import { execFileSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { chromium } from "../e2e/chromium";
import { holdTicket, listTicket, test } from "../e2e/marketplace";

/** The last major version that runs on Node 20. */
const LIGHTHOUSE = "lighthouse@12.8.2";
const RUNS = Number(process.env.RUNS ?? 3);

interface Report {
  categories: Record<string, { score: number }>;
  audits: Record<string, { numericValue: number }>;
}

test("lighthouse", async ({ baseURL, seller, buyer }, info) => {
  test.setTimeout(RUNS * 8 * 90_000);
  const ticket = await listTicket(seller, "Nocturnes by candlelight", 42);
  const order = await holdTicket(buyer, await listTicket(seller, "Winter ballet", 55));
  const { cookies } = await buyer.storageState();
  const Cookie = cookies.map(({ name, value }) => `${name}=${value}`).join("; ");
  const pages: [string, string, object?][] = [
    ["browse", "/"],
    ["ticket", `/tickets/${ticket.id}`],
    ["sign in", "/signin"],
    ["order", `/orders/${order.id}`, { Cookie }],
  ];
  const { executablePath, args, env } = chromium();

  function measure(path: string, headers: object | undefined, preset: string | undefined): Report {
    const file = info.outputPath("report.json");
    const options = [
      `--chrome-flags=--headless ${args.join(" ")}`,
      "--output=json",
      `--output-path=${file}`,
      "--quiet",
    ];
    if (preset) options.push(`--preset=${preset}`);
    if (headers) options.push(`--extra-headers=${JSON.stringify(headers)}`);
    execFileSync("npx", ["--yes", LIGHTHOUSE, `${baseURL}${path}`, ...options], {
      env: { ...process.env, ...env, CHROME_PATH: executablePath },
      stdio: ["ignore", "ignore", "ignore"],
    });
    return JSON.parse(readFileSync(file, "utf8")) as Report;
  }

  const rows = [["page", "device", "performance", "accessibility", "best practices", "LCP ms", "TBT ms", "CLS"]];
  for (const [name, path, headers] of pages) {
    for (const [device, preset] of [["phone"], ["desktop", "desktop"]]) {
      const reports = Array.from({ length: RUNS }, () => measure(path, headers, preset));
      const score = (category: string) =>
        String(Math.round(100 * median(reports.map(({ categories }) => categories[category]?.score ?? 0))));
      const audit = (id: string, digits = 0) =>
        median(reports.map(({ audits }) => audits[id]?.numericValue ?? Number.NaN)).toFixed(digits);
      rows.push([
        name,
        device ?? "",
        ...["performance", "accessibility", "best-practices"].map(score),
        ...["largest-contentful-paint", "total-blocking-time"].map((id) => audit(id)),
        audit("cumulative-layout-shift", 3),
      ]);
      process.stdout.write(`${rows.at(-1)?.join(" | ")}\n`);
    }
  }
  process.stdout.write(`\n${rows.map((row) => `| ${row.join(" | ")} |`).join("\n")}\n`);
});

function median(numbers: number[]): number {
  return [...numbers].sort((one, other) => one - other)[Math.floor(numbers.length / 2)] ?? Number.NaN;
}
