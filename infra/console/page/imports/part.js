/** What of a file is tried. */

/** A try reads no more of a file. */
const TRY_LIMIT = 64 * 1024 * 1024;
const FIRST_BYTES = 1024 * 1024;
const LINES = /\.(csv|tsv|ndjson|jsonl)$/i;
const TABLE = /\.(csv|tsv)$/i;
const [LINE_END, QUOTE, ZERO] = [10, 34, 0];
/** The first bytes of gzip, zstd and zip. */
const PACKED = [[0x1f, 0x8b], [0x28, 0xb5, 0x2f, 0xfd], [0x50, 0x4b]];

/** Returns the end of the last whole row. A line of a table that ends within quotes is not the end of a row. */
export function lastRowEnd(bytes, isTable) {
  let isQuoted = false;
  let end = 0;
  for (const [at, byte] of bytes.entries()) {
    if (byte === QUOTE && isTable) isQuoted = !isQuoted;
    if (byte === LINE_END && !isQuoted) end = at + 1;
  }
  return end;
}

/** Returns `{blob, isWhole}`: the file, or the first rows of a large one; `undefined` if they cannot be separated from the rest. */
export async function trialOf(file) {
  if (file.size <= TRY_LIMIT) return { blob: file, isWhole: true };
  if (!LINES.test(file.name)) return undefined;
  const bytes = new Uint8Array(await file.slice(0, FIRST_BYTES).arrayBuffer());
  if (bytes.includes(ZERO) || PACKED.some((start) => start.every((byte, at) => bytes[at] === byte))) return undefined;
  const end = lastRowEnd(bytes, TABLE.test(file.name));
  return end ? { blob: file.slice(0, end), isWhole: false } : undefined;
}
