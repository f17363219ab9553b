/** Reads a QR code in a picture of the camera: with the browser's own detector where it has one, else with zxing-wasm. */
import { prepareZXingModule, readBarcodes } from "zxing-wasm/reader";

/** The text of a QR code in the frame, or null. */
export type Decode = (frame: HTMLVideoElement) => Promise<string | null>;

/** The Barcode Detection API, which TypeScript's DOM library does not have. */
interface Detector {
  detect(source: HTMLVideoElement): Promise<{ rawValue: string }[]>;
}

interface DetectorConstructor {
  new (options: { formats: string[] }): Detector;
  getSupportedFormats(): Promise<string[]>;
}

export async function loadDecoder(): Promise<Decode> {
  const native = await nativeDetector();
  if (!native) return zxing();
  let fallback: Promise<Decode> | undefined;
  return async (frame) => {
    if (fallback) return (await fallback)(frame);
    try {
      return (await native.detect(frame))[0]?.rawValue ?? null;
    } catch {
      // Android downloads its detector, and may not have it yet.
      fallback = zxing();
      return null;
    }
  };
}

async function nativeDetector(): Promise<Detector | null> {
  const { BarcodeDetector } = globalThis as { BarcodeDetector?: DetectorConstructor };
  try {
    if (!BarcodeDetector || !(await BarcodeDetector.getSupportedFormats()).includes("qr_code")) return null;
    return new BarcodeDetector({ formats: ["qr_code"] });
  } catch {
    return null;
  }
}

async function zxing(): Promise<Decode> {
  const wasm = new URL("zxing-wasm/reader/zxing_reader.wasm", import.meta.url).href;
  await prepareZXingModule({ overrides: { locateFile: () => wasm }, fireImmediately: true });
  const canvas = document.createElement("canvas");
  const context = canvas.getContext("2d", { willReadFrequently: true });
  return async (frame) => {
    const { videoWidth: width, videoHeight: height } = frame;
    if (!context || width === 0) return null;
    canvas.width = width;
    canvas.height = height;
    context.drawImage(frame, 0, 0);
    const found = await readBarcodes(context.getImageData(0, 0, width, height), {
      formats: ["QRCode"],
      maxNumberOfSymbols: 1,
    });
    return found[0]?.text ?? null;
  };
}
