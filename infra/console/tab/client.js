/** A JSON number that a JavaScript number cannot represent exactly, such as an ID of 19 digits. */
export class ExactNumber {
	constructor(text) {
		this.text = text;
	}

	valueOf() {
		return Number(this.text);
	}

	toString() {
		return this.text;
	}

	toJSON() {
		return JSON.rawJSON?.(this.text) ?? this.text;
	}
}

/** Parses JSON and keeps the digits of every number, in browsers that support `source`. */
export const parse = text => JSON.parse(text, (_, value, context) =>
	typeof value === "number" && context?.source !== undefined && context.source !== String(value) ? new ExactNumber(context.source) : value);

/** A client of one API. `settings` returns its address and the token, or a function that returns the token. */
export class Client {
	#settings;

	constructor(settings) {
		this.#settings = settings;
	}

	/**
	 * Sends a request, again if the API is throttled or the token has expired. Returns `[response]` or `[undefined, failure]`: the
	 * API's problem document, or status 0 if there was no response.
	 */
	async send(method, path, {body, headers, signal} = {}) {
		const {api, token} = this.#settings();
		const isFunction = typeof token === "function";
		const json = body && JSON.stringify(body);
		try {
			for (let attempt = 0, expired = false; ; attempt++) {
				const bearer = isFunction ? await token({expired}) : token;
				const response = await fetch((api ?? "").replace(/\/+$/, "") + path, {
					method, signal, body: json, cache: "no-store", credentials: "omit", referrerPolicy: "no-referrer",
					headers: {...headers, ...(json && {"content-type": "application/json"}), ...(bearer && {authorization: `Bearer ${bearer}`})},
				});
				const read = async () => parse(await response.text());
				if (response.ok) return [response.status === 204 ? undefined : await read()];
				if (response.status === 401 && !expired && isFunction) {
					expired = true;
				} else if ([429, 503].includes(response.status) && attempt < 2) {
					const seconds = Math.min(Number(response.headers.get("retry-after")) || 2 ** attempt, 10);
					await new Promise(resolve => setTimeout(resolve, seconds * 1000));
				} else {
					return [undefined, {...await read().catch(() => undefined), status: response.status}];
				}
			}
		} catch {
			return [undefined, {status: 0}];
		}
	}
}
