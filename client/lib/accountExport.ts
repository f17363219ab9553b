/** The data of the signed-in account from every service, for its owner to download. */
import type { Api } from "./api/client";
import { loadItems } from "./api/paging";

type Sources = Pick<Api, "exportAccount" | "listMyTickets" | "listOrders">;

/** Everything or an ApiError: a file that lacks a part without saying so would be wrong. */
export async function accountData(api: Sources): Promise<Record<"account" | "listings" | "orders", unknown>> {
  const [account, listings, orders] = await Promise.all([
    api.exportAccount(),
    loadItems(api.listMyTickets, Number.POSITIVE_INFINITY),
    loadItems(api.listOrders, Number.POSITIVE_INFINITY),
  ]);
  return { account, listings: listings.items, orders: orders.items };
}
