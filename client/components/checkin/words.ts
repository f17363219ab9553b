/** What the entrance page says about a scan. */
import type { Verdict } from "@/lib/checkin/checkIn";
import type { Scan } from "@/lib/checkin/store";
import { formatDateTime } from "@/lib/format";

export function wordsOf(verdict: Verdict): { title: string; text: string } {
  const seat = verdict.seat === null ? "" : `Seat ${verdict.seat}`;
  if (verdict.admits) {
    return { title: "Admit", text: verdict.confirmed ? seat : `${seat}. Decided on this device, without the server.` };
  }
  const reason = reasonOf(verdict);
  return { title: "Do not admit", text: seat ? `${seat}. ${reason}` : reason };
}

function reasonOf({ reason, firstAt }: Extract<Verdict, { admits: false }>): string {
  const time = firstAt ? ` at ${formatDateTime(firstAt)}` : " before";
  switch (reason) {
    case "invalid":
      return "This is not the code of a pass.";
    case "unknownKey":
      return "The signature is unknown to this device. If the pass looks right, connect to the internet and scan again.";
    case "otherEvent":
      return "This pass is for another event.";
    case "void":
      return "This pass is void: its order was cancelled or refunded.";
    case "used":
      return `This pass was used${time}, at another device.`;
    case "repeated":
      return `This device admitted this pass${time}.`;
    case "notStored":
      return "This device could not store the scan. Free some storage, or use another device.";
    case "other":
      return "The server refuses this pass.";
  }
}

/** Why an admission of this device was wrong, as the server saw it later. */
export function conflictOf({ refusal }: Scan): string {
  if (refusal?.reason === "used") {
    return refusal.firstAt
      ? `Another device had this pass checked in at ${formatDateTime(refusal.firstAt)}.`
      : "Another device had this pass checked in.";
  }
  if (refusal?.reason === "void") return "The pass was void: its order was cancelled or refunded.";
  return refusal?.message ?? "";
}
