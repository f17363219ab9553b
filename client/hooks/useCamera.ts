/** The camera as a source of QR codes. */
import { type RefObject, useCallback, useEffect, useEffectEvent, useRef, useState } from "react";
import type { Decode } from "@/lib/checkin/decoder";

/** Milliseconds between two pictures: five a second suffice, and leave a phone's battery and processor free. */
const INTERVAL_MS = 200;
/** The same code counts again only after it was out of sight for this long. Milliseconds. */
const OUT_OF_SIGHT_MS = 2_500;

/** `failed`: there is a camera, and no QR code reader could be loaded. */
export type CameraState = "off" | "starting" | "on" | "denied" | "none" | "failed";

interface Camera {
  state: CameraState;
  video: RefObject<HTMLVideoElement | null>;
  start: () => Promise<void>;
  stop: () => void;
}

/** Calls `onCode` once for each code that comes into sight, while the camera is on. */
export function useCamera(onCode: (code: string) => void): Camera {
  const video = useRef<HTMLVideoElement>(null);
  const [state, setState] = useState<CameraState>("off");
  const stream = useRef<MediaStream>(undefined);
  const decode = useRef<Decode>(undefined);
  const report = useEffectEvent(onCode);

  const stop = useCallback(() => {
    for (const track of stream.current?.getTracks() ?? []) track.stop();
    stream.current = undefined;
    setState("off");
  }, []);
  useEffect(() => stop, [stop]);

  const start = useCallback(async () => {
    // Plain-HTTP origins have no cameras.
    if (!navigator.mediaDevices) return setState("none");
    setState("starting");
    try {
      decode.current ??= await loadReader();
    } catch {
      return setState("failed");
    }
    try {
      const wanted = { facingMode: "environment", width: { ideal: 1280 }, height: { ideal: 720 } };
      const media = await navigator.mediaDevices.getUserMedia({ video: wanted, audio: false });
      stream.current = media;
      // Unplugged, or taken by another program.
      media.getVideoTracks()[0]?.addEventListener("ended", stop);
      setState("on");
    } catch (error) {
      setState(error instanceof DOMException && error.name === "NotAllowedError" ? "denied" : "none");
    }
  }, [stop]);

  useEffect(() => {
    const element = video.current;
    if (state !== "on" || !element || !stream.current || !decode.current) return;
    element.srcObject = stream.current;
    void element.play().catch(() => {});
    return readCodes(element, decode.current, (code) => report(code));
  }, [state]);

  return { state, video, start, stop };
}

/** Loads the QR code reader, so that it works offline later. */
export async function loadReader(): Promise<Decode> {
  return (await import("@/lib/checkin/decoder")).loadDecoder();
}

/** Reads codes until the returned function is called. */
function readCodes(element: HTMLVideoElement, decode: Decode, onCode: (code: string) => void): () => void {
  let stopped = false;
  let last = "";
  let seenAt = 0;
  const look = async () => {
    const code = document.visibilityState === "visible" ? await decode(element) : null;
    const now = Date.now();
    if (stopped || !code) return;
    const again = code === last && now - seenAt < OUT_OF_SIGHT_MS;
    last = code;
    seenAt = now;
    if (!again) onCode(code);
  };
  const loop = async () => {
    while (!stopped) {
      // A single picture may be unreadable: the camera was just switched off.
      await look().catch(() => {});
      await new Promise((resolve) => setTimeout(resolve, INTERVAL_MS));
    }
  };
  void loop();
  return () => {
    stopped = true;
  };
}
