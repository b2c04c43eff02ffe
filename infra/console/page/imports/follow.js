/** Reads an import until it has ended. */

import { pause } from "./upload.js";

const SHORTEST_MS = 1000;
const LONGEST_MS = 5000;
/** After this number of failed reads in a row, the failure is shown. */
const MAX_LOST = 6;

export const isPending = ({ state }) => state === "awaiting_upload" || state === "running";

/** Calls `seen` with every state of the import. Returns `[import]` when it has ended, or `[undefined, failure]`. */
export async function follow(client, id, { signal, seen }) {
  let lost = 0;
  for (let delay = SHORTEST_MS; !signal.aborted; delay = Math.min(delay * 1.5, LONGEST_MS)) {
    const [current, failure] = await client.send("GET", `/imports/${encodeURIComponent(id)}`, { signal });
    if (signal.aborted) break;
    lost = failure ? lost + 1 : 0;
    const isTemporary = failure && (failure.status === 0 || failure.status >= 500);
    if (failure && (!isTemporary || lost === MAX_LOST)) return [undefined, failure];
    if (current) {
      seen(current);
      if (!isPending(current)) return [current];
    }
    await pause(delay, signal);
  }
  return [undefined, { status: 0, isAborted: true }];
}
