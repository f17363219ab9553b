/** Chromium from the npm package, with its own shared libraries and font: needs neither root nor apt. */
import { execFileSync } from "node:child_process";
import { existsSync, mkdirSync, mkdtempSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { join } from "node:path";

const CLIENT = join(import.meta.dirname, "..", "..");

export interface Chromium {
  executablePath: string;
  args: string[];
  env: Record<string, string>;
}

/** Unpacks Chromium once per version (about three seconds, 200 MB) and returns how to start it. */
export function chromium(): Chromium {
  const home = join(CLIENT, "node_modules", ".cache", `chromium-${packageVersion()}`);
  if (!existsSync(home)) unpack(home);
  return {
    executablePath: join(home, "chromium"),
    // Containers and CI run as root, where Chromium's sandbox refuses to start; only our own pages are opened.
    args: ["--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage"],
    env: {
      ...(process.env as Record<string, string>),
      LD_LIBRARY_PATH: join(home, "al2023", "lib"),
      FONTCONFIG_FILE: join(home, "fonts.conf"),
    },
  };
}

function packageVersion(): string {
  // The package does not export its package.json; our own package.json pins the exact version.
  const manifest = createRequire(import.meta.url)(join(CLIENT, "package.json")) as {
    devDependencies: Record<string, string>;
  };
  return manifest.devDependencies["@sparticuz/chromium"] ?? "unknown";
}

/** The package always unpacks into the temporary folder, and unpacks its libraries only on AWS Lambda, which this simulates. */
function unpack(home: string): void {
  mkdirSync(join(home, ".."), { recursive: true });
  const folder = mkdtempSync(`${home}-`);
  const script = 'import chromium from "@sparticuz/chromium"; await chromium.executablePath();';
  execFileSync(process.execPath, ["--input-type=module", "--eval", script], {
    cwd: CLIENT,
    env: { ...process.env, TMPDIR: folder, AWS_LAMBDA_JS_RUNTIME: "nodejs20.x" },
    stdio: ["ignore", "ignore", "inherit"],
  });
  writeFileSync(join(folder, "fonts.conf"), fontsConfiguration(home));
  try {
    renameSync(folder, home);
  } catch (error) {
    // Another run unpacked at the same time and finished first.
    if (!existsSync(home)) throw error;
    rmSync(folder, { recursive: true });
  }
}

function fontsConfiguration(home: string): string {
  return `<?xml version="1.0"?>
<!DOCTYPE fontconfig SYSTEM "fonts.dtd">
<fontconfig>
  <dir>${home}/fonts</dir>
  <cachedir>${home}/fonts-cache</cachedir>
</fontconfig>
`;
}
