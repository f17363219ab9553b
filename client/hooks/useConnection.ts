/** Whether the page's content is current. */
import { useSyncExternalStore } from "react";
import { type Connection, currentConnection, subscribeConnection } from "@/lib/live/connection";

export function useConnection(): Connection {
  return useSyncExternalStore(subscribeConnection, currentConnection, () => "current");
}
