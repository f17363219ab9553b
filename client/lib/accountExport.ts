/** The data of the signed-in account from every service, for its owner to download. */
import type { Api, Page } from "./api/client";

type Sources = Pick<Api, "exportAccount" | "listMyTickets" | "listOrders">;

/** The largest page that the services return. */
const LIMIT = "100";

/** Everything or an ApiError: a file that lacks a part without saying so would be wrong. */
export async function accountData(api: Sources): Promise<Record<"account" | "listings" | "orders", unknown>> {
  const [account, listings, orders] = await Promise.all([
    api.exportAccount(),
    everyItem((query) => api.listMyTickets(query)),
    everyItem((query) => api.listOrders(query)),
  ]);
  return { account, listings, orders };
}

async function everyItem<Item>(
  load: (query: { limit: string; cursor?: string }) => Promise<Page<Item>>,
): Promise<Item[]> {
  const items: Item[] = [];
  for (let cursor: string | null = ""; cursor !== null; ) {
    const page: Page<Item> = await load({ limit: LIMIT, ...(cursor && { cursor }) });
    items.push(...page.items);
    cursor = page.next;
  }
  return items;
}
