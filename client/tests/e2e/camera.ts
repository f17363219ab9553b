/** A browser whose camera shows one picture: Chromium reads it from a file. */
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type Browser, chromium as chromiumOf, type Page } from "@playwright/test";
import { chromium } from "./chromium";

const WIDTH = 640;
const HEIGHT = 480;

/** The brightness of the image element's picture in the middle of a grey frame, row by row. */
export async function frameWith(page: Page, selector: string): Promise<Buffer> {
  const luma = await page.locator(selector).evaluate(
    async (element, [width, height]) => {
      const image = element as HTMLImageElement;
      await image.decode();
      const canvas = document.createElement("canvas");
      canvas.width = width;
      canvas.height = height;
      const context = canvas.getContext("2d");
      if (!context) throw new Error("no canvas");
      context.fillStyle = "#888888";
      context.fillRect(0, 0, width, height);
      const size = height - 24;
      context.fillStyle = "#ffffff";
      context.fillRect((width - size) / 2, 12, size, size);
      context.drawImage(image, (width - size) / 2, 12, size, size);
      const { data } = context.getImageData(0, 0, width, height);
      return Array.from({ length: width * height }, (_, pixel) => data[4 * pixel] ?? 0);
    },
    [WIDTH, HEIGHT] as const,
  );
  return Buffer.from(luma);
}

/** Launches Chromium with a camera that shows the frame; closing the browser removes the file. */
export async function launchWithCamera(luma: Buffer): Promise<Browser> {
  const folder = mkdtempSync(join(tmpdir(), "camera-"));
  const video = join(folder, "camera.y4m");
  const colourless = Buffer.alloc((WIDTH / 2) * (HEIGHT / 2) * 2, 128);
  const frame = Buffer.concat([Buffer.from("FRAME\n"), luma, colourless]);
  const head = Buffer.from(`YUV4MPEG2 W${WIDTH} H${HEIGHT} F10:1 Ip A1:1 C420jpeg\n`);
  writeFileSync(video, Buffer.concat([head, ...Array.from({ length: 10 }, () => frame)]));
  const { executablePath, args, env } = chromium();
  const camera = [
    "--use-fake-ui-for-media-stream",
    "--use-fake-device-for-media-stream",
    `--use-file-for-fake-video-capture=${video}`,
  ];
  const browser = await chromiumOf.launch({ executablePath, args: [...args, ...camera], env });
  browser.on("disconnected", () => rmSync(folder, { recursive: true, force: true }));
  return browser;
}
