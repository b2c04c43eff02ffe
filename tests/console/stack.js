/** Starts a local stack of its own for a test file. */

import { spawn } from "node:child_process";
import path from "node:path";
import { createInterface } from "node:readline";

const BINARY = path.resolve(import.meta.dirname, "../../target/debug/local");

/** Starts an empty stack on free ports. Returns its addresses and `stop`. */
export async function startStack(...options) {
  const stack = spawn(BINARY, ["--empty", "--api-port", "0", "--s3-port", "0", "--dynamodb-port", "0", ...options], { stdio: ["ignore", "pipe", "ignore"] });
  const ended = new Promise((resolve) => stack.once("exit", resolve));
  const ready = new Promise((resolve) => createInterface(stack.stdout).on("line", (line) => line.startsWith("ready ") && resolve(line)));
  const line = await Promise.race([ready, ended.then((code) => { throw new Error(`the local stack ended with ${code}`); })]);
  const { api, s3, bucket } = Object.fromEntries(line.split(" ").map((part) => part.split("=")));
  return { api, s3, bucket: `${s3}/${bucket}`, stop: () => (stack.kill("SIGINT"), ended) };
}
