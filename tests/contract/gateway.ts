/** A server in place of API Gateway, for responses that the local stack never returns. */

import { createServer } from "node:http";
import type { AddressInfo } from "node:net";

export type Reply = { status: number; type?: string; body: string; headers?: Record<string, string> };

export const PROBLEM = {
  type: "/problems/forbidden",
  title: "Permission denied",
  status: 403,
  detail: "The token lacks the scope `profiles:read`. Request a token that has it.",
  request_id: "JKJaXmPLvHcESHA=",
};

/** Runs `test` with the URL of a server that returns `replies` one after another, and returns the number of requests. */
export async function withReplies(replies: Reply[], test: (url: string) => Promise<void>): Promise<number> {
  let requests = 0;
  const server = createServer((_, response) => {
    const { status, type = "application/json", body, headers = {} } = replies[requests++] ?? { status: 410, body: "" };
    response.writeHead(status, { "Content-Type": type, ...headers }).end(body);
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  try {
    await test(`http://127.0.0.1:${(server.address() as AddressInfo).port}`);
  } finally {
    server.closeAllConnections();
    server.close();
  }
  return requests;
}
