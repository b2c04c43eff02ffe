/** The files that were dropped, and what happens to each. Uploads continue while other views are open. */

import { follow } from "./follow.js";
import { trialOf } from "./part.js";
import { Upload } from "./upload.js";
import { AUTO } from "./words.js";

/** The maximum number of files that wait. */
export const MAX_FILES = 100;

/** A file and its state: `step` is `ready`, `sending`, `reading`, `tried` or `done`. `changed` is called after every change. */
export class Job {
  step = "ready";
  type = AUTO;
  source = "";
  sent = 0;
  /** The newest state of its try or import. */
  current;
  failure;
  changed = () => undefined;
  #client;
  #stepped;
  #uploads = new Map();
  #stop = new AbortController();

  /** `stepped` is called after every change of the step. */
  constructor(client, file, { type, source, stepped }) {
    this.#client = client;
    this.#stepped = stepped;
    this.file = file;
    this.type = type ?? this.type;
    this.source = source ?? this.source;
  }

  get isEmpty() {
    return this.file.size === 0;
  }

  get isUploading() {
    return this.step === "sending";
  }

  #set(changes) {
    const { step } = this;
    Object.assign(this, changes);
    this.changed();
    if (this.step !== step) this.#stepped();
  }

  /** Tries the file, or the first rows of a large one. */
  async try() {
    this.#set({ step: "sending", purpose: "try", sent: 0, failure: undefined });
    const part = await trialOf(this.file).catch(() => undefined);
    if (!part) return this.#set({ step: "ready", cannotTry: true });
    this.isWhole = part.isWhole;
    const current = await this.#run(part.blob);
    if (!current) return undefined;
    // The profiles of a try are those of the import.
    this.customer = current.trial?.profiles?.[0]?.id;
    return this.#set({ step: "tried" });
  }

  async import() {
    this.#set({ step: "sending", purpose: "import", sent: 0, failure: undefined });
    if (await this.#run(this.file)) this.#set({ step: "done" });
  }

  /** Uploads a blob and waits for the end of its import. Returns it, or `undefined` if that failed. */
  async #run(blob) {
    this.#stop = new AbortController();
    const { signal } = this.#stop;
    this.#set({ total: blob.size, current: undefined });
    const [created, failure] = await this.#upload(blob).run({ signal, sent: (sent) => this.#set({ sent }) });
    if (signal.aborted) return undefined;
    if (failure) return this.#set({ step: "ready", failure });
    this.#uploads.clear();
    this.#set({ step: "reading", current: created });
    const [ended, lost] = await follow(this.#client, created.id, { signal, seen: (current) => this.#set({ current }) });
    if (lost && !signal.aborted) this.#set({ failure: lost });
    return ended;
  }

  /** Returns the upload for the present choices, which continues where it ended. */
  #upload(blob) {
    const request = { file_name: this.file.name, type: this.type, ...(this.source && { source: this.source }), size: blob.size, ...(this.purpose === "try" && { try: true }) };
    const key = JSON.stringify(request);
    if (!this.#uploads.has(key)) this.#uploads.set(key, new Upload(this.#client, blob, request));
    return this.#uploads.get(key);
  }

  /** Ends an upload, or the waiting for an import. */
  cancel() {
    this.#stop.abort();
    this.#set({ step: "ready" });
  }

  /** Continues to wait for an import whose state could not be read. */
  async wait() {
    this.#set({ failure: undefined });
    this.#stop = new AbortController();
    const { signal } = this.#stop;
    const [ended, failure] = await follow(this.#client, this.current.id, { signal, seen: (current) => this.#set({ current }) });
    if (signal.aborted) return;
    this.#set(failure ? { failure } : { current: ended, step: this.purpose === "try" ? "tried" : "done" });
  }

  /** Returns to the choices. */
  reconsider() {
    this.#set({ step: "ready", current: undefined, failure: undefined });
  }
}

export class Queue {
  jobs = [];
  /** Called when a file has reached its next step. */
  changed = () => undefined;
  /** Called when files were added or removed. */
  listed = () => undefined;
  #client;

  constructor(client) {
    this.#client = client;
    addEventListener("beforeunload", (event) => {
      if (this.jobs.some(({ isUploading }) => isUploading)) event.preventDefault();
    });
  }

  /** Adds files, with a type and a source if they are known. Returns the number of those that did not fit. */
  add(files, choice) {
    const rest = MAX_FILES - this.jobs.length;
    this.jobs.push(...files.slice(0, rest).map((file) => new Job(this.#client, file, { ...choice, stepped: () => this.changed() })));
    this.listed();
    return Math.max(files.length - rest, 0);
  }

  remove(job) {
    job.cancel();
    this.jobs = this.jobs.filter((other) => other !== job);
    this.listed();
  }

  /** Returns a customer of an import that was tried before. */
  customerOf(id) {
    return this.jobs.find(({ current }) => current?.id === id)?.customer;
  }
}
