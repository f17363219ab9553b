/** The client's own gateway: hands /api/* to the services, so that the browser needs one origin only. */
import type { NextApiRequest, NextApiResponse } from "next";
import { forward } from "@/lib/server/gateway";

/** The request body must reach the service as it came; the answer may be an endless stream. */
export const config = { api: { bodyParser: false, externalResolver: true, responseLimit: false } };

export default function handler(request: NextApiRequest, response: NextApiResponse): Promise<void> {
  return forward(request, response);
}
