/** Uploads files straight to the bucket, through URLs that the API issues. A file is read slice by slice, and never held in memory. */

/** The maximum number of requests that upload concurrently, of all files together. */
const CONCURRENT = 3;
const ATTEMPTS = 6;
/** The number of parts whose URLs are issued together. */
const BATCH = 10;
/** A URL is not used in its last minute. */
const MARGIN_MS = 60_000;
const MAX_PAUSE_MS = 16_000;

export const newKey = () => crypto.getRandomValues(new BigUint64Array(2)).join("-");

/** Waits, unless the signal is or gets aborted. */
export function pause(milliseconds, signal) {
  return new Promise((resolve) => {
    const timer = setTimeout(resolve, milliseconds);
    signal.addEventListener("abort", () => {
      clearTimeout(timer);
      resolve();
    }, { once: true });
  });
}

/** Returns a function that runs tasks, at most `limit` concurrently. */
function limiter(limit) {
  const waiting = [];
  let running = 0;
  return async (task) => {
    if (running < limit) running++;
    else await new Promise((resolve) => waiting.push(resolve));
    try {
      return await task();
    } finally {
      // The place goes to the task that waits longest.
      if (waiting.length) waiting.shift()();
      else running--;
    }
  };
}

const slot = limiter(CONCURRENT);

/** Sends one request to the bucket. Returns the status, 0 without a response, and the entity tag. */
function put({ method, url, headers = {} }, body, { signal, sent }) {
  return new Promise((resolve) => {
    const request = new XMLHttpRequest();
    const abort = () => request.abort();
    request.open(method, url);
    // Browsers set these themselves.
    for (const [name, value] of Object.entries(headers)) if (!/^(host|content-length)$/i.test(name)) request.setRequestHeader(name, value);
    request.upload.onprogress = ({ loaded }) => sent(loaded);
    request.onload = () => resolve({ status: request.status, etag: request.getResponseHeader("etag") });
    request.onerror = request.onabort = () => resolve({ status: 0 });
    request.onloadend = () => signal.removeEventListener("abort", abort);
    signal.addEventListener("abort", abort, { once: true });
    request.send(body);
  });
}

/**
 * Sends a body until the bucket has stored it. `target(isRenewed)` returns where to, or a failure; it issues another URL after a 403, which
 * an expired URL has. Returns `[etag]` or `[undefined, failure]`.
 */
async function store(target, body, { signal, sent }) {
  let isRenewed = false;
  for (let attempt = 1; ; attempt++) {
    const [request, failure] = await target(isRenewed);
    if (failure || signal.aborted) return [undefined, failure ?? { status: 0 }];
    const { status, etag } = await slot(() => put(request, body, { signal, sent }));
    // A repeated request finds the object of an earlier one whose response was lost.
    const isStored = (status >= 200 && status < 300) || (status === 412 && attempt > 1);
    if (isStored) {
      sent(body.size);
      return [etag];
    }
    sent(0);
    const canRepeat = status === 0 || status === 403 || status === 408 || status === 429 || status >= 500;
    if (signal.aborted || !canRepeat || attempt === ATTEMPTS) return [undefined, { status, upload: true }];
    isRenewed = status === 403;
    if (!isRenewed) await pause(Math.min(1000 * 2 ** (attempt - 1), MAX_PAUSE_MS), signal);
  }
}

/** One upload of a file. It continues where it ended if `run` is called again. */
export class Upload {
  #client;
  #file;
  #request;
  #key = newKey();
  #created;
  #parts = new Map();
  #urls = new Map();
  #turn = Promise.resolve();

  /** `request` is the body of `POST /imports`. */
  constructor(client, file, request) {
    this.#client = client;
    this.#file = file;
    this.#request = request;
  }

  /** Uploads the file. `sent` gets the number of bytes. Returns `[import]` or `[undefined, failure]`. */
  async run({ signal, sent }) {
    const failure = (await this.#create({ signal })) ?? await (this.#created.upload.part_count ? this.#sendParts({ signal, sent }) : this.#sendWhole({ signal, sent }));
    if ([404, 409, 410].includes(failure?.status)) this.#restart();
    return failure ? [undefined, failure] : [this.#created];
  }

  async #create({ signal }) {
    if (this.#created) return undefined;
    const [created, failure] = await this.#client.send("POST", "/imports", { body: this.#request, headers: { "idempotency-key": this.#key }, signal });
    this.#created = created;
    return failure;
  }

  /** The next attempt is another upload. */
  #restart() {
    this.#key = newKey();
    this.#created = undefined;
    this.#parts.clear();
    this.#urls.clear();
  }

  async #sendWhole({ signal, sent }) {
    const target = async (isRenewed) => {
      if (isRenewed) this.#restart();
      const failure = await this.#create({ signal });
      return failure ? [undefined, failure] : [this.#created.upload];
    };
    const [, failure] = await store(target, this.#file.slice(0, this.#file.size), { signal, sent });
    return failure;
  }

  async #sendParts({ signal, sent }) {
    const { part_size: size, part_count: count } = this.#created.upload;
    const stop = new AbortController();
    const either = AbortSignal.any([signal, stop.signal]);
    const slice = (number) => this.#file.slice((number - 1) * size, number * size);
    const bytes = new Map([...this.#parts.keys()].map((number) => [number, slice(number).size]));
    const missing = Array.from({ length: count }, (_, at) => at + 1).filter((number) => !this.#parts.has(number));
    let failure;
    const work = async () => {
      for (let number = missing.shift(); number && !failure; number = missing.shift()) {
        const [etag, problem] = await store((isRenewed) => this.#url(number, isRenewed, either), slice(number), { signal: either, sent: (loaded) => {
          bytes.set(number, loaded);
          sent([...bytes.values()].reduce((sum, part) => sum + part, 0));
        } });
        if (problem) {
          failure ??= problem;
          stop.abort();
        } else {
          this.#parts.set(number, etag);
        }
      }
    };
    await Promise.all(Array.from({ length: CONCURRENT }, work));
    return failure ?? this.#complete({ signal });
  }

  /** Returns the URL of a part. URLs are issued for several parts together, one request at a time. */
  #url(number, isRenewed, signal) {
    const ask = async () => {
      const known = this.#urls.get(number);
      if (known && !isRenewed && Date.parse(known.expires_at) - Date.now() > MARGIN_MS) return [known];
      const count = this.#created.upload.part_count;
      const numbers = Array.from({ length: BATCH }, (_, at) => number + at).filter((other) => other <= count && !this.#parts.has(other));
      const [page, failure] = await this.#client.send("POST", `/imports/${this.#created.id}/parts`, { body: { numbers }, signal });
      if (failure) return [undefined, failure];
      for (const part of page.items) this.#urls.set(part.number, part);
      return [this.#urls.get(number)];
    };
    this.#turn = this.#turn.then(ask);
    return this.#turn;
  }

  async #complete({ signal }) {
    const parts = [...this.#parts].sort(([a], [b]) => a - b).map(([number, etag]) => ({ number, etag }));
    for (let attempt = 1; ; attempt++) {
      const [, failure] = await this.#client.send("POST", `/imports/${this.#created.id}/complete`, { body: { parts }, signal });
      const canRepeat = failure && (failure.status === 0 || failure.status >= 500);
      if (!canRepeat || signal.aborted || attempt === ATTEMPTS) return failure;
      await pause(Math.min(1000 * 2 ** (attempt - 1), MAX_PAUSE_MS), signal);
    }
  }
}
