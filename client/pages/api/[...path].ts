/** The gateway: forwards /api/* to the services, so that the browser needs only one origin. */
import type { NextApiRequest, NextApiResponse } from "next";
import { forward } from "@/lib/server/gateway";

/** The request body must reach the service unchanged; the response may be an endless stream. */
export const config = { api: { bodyParser: false, externalResolver: true, responseLimit: false } };

export default function handler(request: NextApiRequest, response: NextApiResponse): Promise<void> {
  return forward(request, response);
}
