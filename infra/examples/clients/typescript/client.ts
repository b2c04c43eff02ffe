/** Wraps the generated types: retries, errors as exceptions, pages and the lines of an export. */

import createClient, { type Client } from "openapi-fetch";
import type { components, operations, paths } from "./generated/api.ts";

export type Schemas = components["schemas"];
export type Api = Client<paths>;
/** The filters of `listHistory`, without `cursor`. */
export type HistoryFilters = Omit<NonNullable<operations["listHistory"]["parameters"]["query"]>, "cursor">;

/** API Gateway ends a request after 30 s. */
const TIMEOUT_MILLISECONDS = 35_000;
const MAX_ATTEMPTS = 5;

/** An error response. `problem` is absent if API Gateway or a proxy returned it instead of the service. */
export class ApiError extends Error {
  readonly status: number;
  readonly problem: Schemas["Problem"] | undefined;

  constructor(status: number, body: unknown) {
    const problem = isProblem(body) ? body : undefined;
    const text = problem ? `${problem.type}: ${problem.detail}` : JSON.stringify(body);
    super(`${status} ${text}`);
    this.status = status;
    this.problem = problem;
  }
}

function isProblem(body: unknown): body is Schemas["Problem"] {
  return typeof body === "object" && body !== null && "type" in body && "detail" in body;
}

/** Sends a request. Repeats it after 429 and 5xx, at most four times. */
async function fetchWithRetries(request: Request): Promise<Response> {
  for (let attempt = 1; ; attempt++) {
    const response = await fetch(request.clone(), { signal: AbortSignal.timeout(TIMEOUT_MILLISECONDS) });
    if ((response.status !== 429 && response.status < 500) || attempt === MAX_ATTEMPTS) return response;
    await response.body?.cancel();
    const seconds = Number(response.headers.get("Retry-After")) || 2 ** (attempt - 1);
    await new Promise((resolve) => setTimeout(resolve, seconds * 1000));
  }
}

/** Creates a client. The local stack accepts every token, and none. */
export function connect(baseUrl: string, token: string): Api {
  return createClient<paths>({ baseUrl, headers: { Authorization: `Bearer ${token}` }, fetch: fetchWithRetries });
}

/** Returns the body of a response. Throws an `ApiError` if it has an error status. */
export function unwrap<T>(result: { data?: T; error?: unknown; response: Response }): T {
  if (!result.response.ok) throw new ApiError(result.response.status, result.error);
  return result.data as T;
}

/** Yields the pages of the history, newest event first. A page can be empty before the end. */
export async function* historyPages(
  api: Api,
  id: string,
  filters: HistoryFilters = {},
): AsyncGenerator<Schemas["Event"][]> {
  let cursor: string | null = null;
  do {
    const query: HistoryFilters & { cursor?: string } = cursor === null ? filters : { ...filters, cursor };
    const page: Schemas["HistoryPage"] = unwrap(
      await api.GET("/profiles/{id}/history", { params: { path: { id }, query } }),
    );
    yield page.items;
    cursor = page.next;
  } while (cursor !== null);
}

/** Yields the lines of an export: the start, the items, and the end of each page. `parseAs` returns the text of the page. */
export async function* exportLines(api: Api, id: string, limit = 100): AsyncGenerator<Schemas["ExportLine"]> {
  let cursor: string | null = null;
  do {
    const query: { limit: number; cursor?: string } = cursor === null ? { limit } : { limit, cursor };
    const text: string = unwrap(
      await api.GET("/profiles/{id}/export", { params: { path: { id }, query }, parseAs: "text" }),
    );
    cursor = null;
    for (const line of text.split("\n").filter((line) => line !== "")) {
      const parsed = JSON.parse(line) as Schemas["ExportLine"];
      if ("next" in parsed) cursor = parsed.next;
      yield parsed;
    }
  } while (cursor !== null);
}

/** Adds a note. Send the same key to repeat the request: the service stores one note per key for 24 hours. */
export async function leaveNote(api: Api, id: string, key: string, note: Schemas["NewNote"]): Promise<Schemas["Note"]> {
  const header = { "Idempotency-Key": key };
  return unwrap(await api.POST("/profiles/{id}/notes", { params: { path: { id }, header }, body: note }));
}
