/** Completes the standalone folder: Next leaves out the static files, because a CDN could serve them; here nothing else does. */
import { cpSync, existsSync } from "node:fs";

cpSync(".next/static", ".next/standalone/.next/static", { recursive: true });
if (existsSync("public")) cpSync("public", ".next/standalone/public", { recursive: true });
