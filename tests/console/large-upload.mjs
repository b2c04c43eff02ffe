/**
 * Uploads a large file through the Imports view, and prints times, requests and the memory of the browser. Not part of the gate:
 *
 *     node tests/console/large-upload.mjs [MEGABYTES]
 *
 * The file is CSV with rows of a customer record and blank lines of 1 MB. It is on the disk, as a file that a person chooses. Its import
 * therefore measures reading, not the table.
 */

import assert from "node:assert/strict";
import { mkdtemp, open as openFile, readdir, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { open, start, stop } from "./browser.js";
import { startStack } from "./stack.js";

const MEGABYTES = Number(process.argv[2] ?? 2000);
const SAMPLE_MS = 500;
const LIMIT_MS = 3_600_000;
const HEADER = "link.email,first_name,last_name\n";

async function writeFile(file) {
  const handle = await openFile(file, "w");
  await handle.write(HEADER);
  const line = `${" ".repeat(999_999)}\n`;
  for (let at = 0; at < MEGABYTES; at++) await handle.write(at % 100 ? line : `large.${at}@example.com,Large,File\n${line}`);
  await handle.close();
}

/** The resident memory of the browser's processes, in MiB: together, and that of the largest one. */
async function memory() {
  const processes = await Promise.all((await readdir("/proc")).filter((name) => /^\d+$/.test(name)).map(async (pid) => {
    const [command, status] = await Promise.all(["cmdline", "status"].map((name) => readFile(`/proc/${pid}/${name}`, "utf8").catch(() => "")));
    const kilobytes = (name) => Number(status.match(new RegExp(`^${name}:\\s+(\\d+) kB`, "m"))?.[1] ?? 0);
    // Shared pages, such as those of the program, count once for each process in VmRSS.
    return command.includes("chromium") ? kilobytes("RssAnon") / 1024 : 0;
  }));
  return { all: processes.reduce((sum, each) => sum + each, 0), largest: Math.max(...processes) };
}

async function measure(page, file, stack) {
  const requests = {};
  page.on("request", (request) => {
    const { origin, pathname } = new URL(request.url());
    const name = `${request.method()} ${origin === stack.s3 ? "(bucket)" : pathname.replace(/[0-9a-f]{8}-[0-9a-f-]+/, "{id}")}`;
    requests[name] = (requests[name] ?? 0) + 1;
  });
  const before = await memory();
  const peak = { ...before };
  const sampler = setInterval(async () => {
    const now = await memory();
    for (const name of Object.keys(peak)) peak[name] = Math.max(peak[name], now[name]);
  }, SAMPLE_MS);
  const place = page.locator(".file");
  await page.locator(".drop input[type=file]").setInputFiles(file);
  await place.getByLabel("Type").selectOption("customer_record");
  const began = performance.now();
  await place.getByRole("button", { name: "Import without a try" }).click();
  const cancel = place.getByRole("button", { name: "Cancel upload" });
  await cancel.waitFor();
  await cancel.waitFor({ state: "detached", timeout: LIMIT_MS });
  const uploaded = performance.now();
  await place.getByRole("button", { name: "Open the import" }).waitFor({ timeout: LIMIT_MS });
  const imported = performance.now();
  clearInterval(sampler);
  assert.match(await place.locator(".counts").innerText(), new RegExp(`Written\\s+${Math.ceil(MEGABYTES / 100)}\\b`));
  const seconds = (from, to) => `${((to - from) / 1000).toFixed(1)} s`;
  console.log(`${MEGABYTES} MB: uploaded in ${seconds(began, uploaded)}, then imported in ${seconds(uploaded, imported)}`);
  console.log(`memory of the browser, private: ${before.all.toFixed(0)} MiB before, ${peak.all.toFixed(0)} MiB at most; of its largest process ${peak.largest.toFixed(0)} MiB`);
  console.log("requests:", requests);
}

const folder = await mkdtemp(path.join(tmpdir(), "large-upload-"));
const [stack] = await Promise.all([startStack(), start()]);
try {
  const file = path.join(folder, "large.csv");
  await writeFile(file);
  const { page, finish } = await open({ url: `${stack.api}/#imports`, allowed: [stack.api, stack.s3] });
  await measure(page, file, stack);
  await finish();
} finally {
  await stop();
  await stack.stop();
  await rm(folder, { recursive: true });
}
