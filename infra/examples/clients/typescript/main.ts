/** Looks up a customer, pages the history, exports the data and leaves a note. */

import { ApiError, connect, exportLines, historyPages, leaveNote, unwrap, type Schemas } from "./client.ts";

/** Returns a value that can be hidden from tokens without the scope `pii:read`. */
function shown(value: string | Schemas["Redacted"] | null): string {
  if (value === null) return "(none)";
  return typeof value === "string" ? value : "(hidden)";
}

async function main(email: string): Promise<void> {
  const api = connect(process.env.API_URL ?? "http://127.0.0.1:3000", process.env.TOKEN ?? "");

  // 1. Look up the customer. The identifier is in the body, and `include` names the sections to return.
  const query = { include: ["summary" as const] };
  const profile = unwrap(await api.POST("/profiles/lookup", { params: { query }, body: { email } }));
  console.log(`${profile.id} ${shown(profile.name)}: ${profile.summary?.orders} orders`);

  // 2. Page the history. `type` names the kind of the event, and with it the field that contains the event's data.
  let pages = 0;
  let events = 0;
  let lines = 0;
  for await (const page of historyPages(api, profile.id, { limit: 10 })) {
    pages += 1;
    events += page.length;
    for (const event of page) {
      if (event.type === "purchase") lines += event.purchase.products.length;
    }
  }
  console.log(`${events} events on ${pages} pages, with ${lines} lines of purchases`);

  // 3. Export the data. Each line is a start, an item or an end.
  let items = 0;
  for await (const line of exportLines(api, profile.id)) {
    if ("header" in line) console.log(`export of ${line.header.profile} for ${line.header.purposes}`);
    if ("identity" in line) items += 1;
  }
  console.log(`${items} items`);

  // 4. Leave a note. The key names this note, so that a repeated request does not add a second one.
  const note = await leaveNote(api, profile.id, "conversation-31-note-2", { text: "Prefers a message." });
  console.log(`note ${note.id} by ${note.author}`);
}

try {
  await main(process.argv[2] ?? "minh.mokoena.0@example.com");
} catch (error) {
  if (!(error instanceof ApiError)) throw error;
  console.error(error.message);
  process.exitCode = 1;
}
