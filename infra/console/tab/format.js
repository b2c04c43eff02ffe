/** Formats dates, numbers and amounts. A value that cannot be formatted is shown as it is. */

/** The first locale that browsers accept. Pages also use names such as `en_US.UTF-8` or `C`. */
export function usableLocale(...names) {
	for (const name of names) {
		try {
			const [locale] = Intl.DateTimeFormat.supportedLocalesOf(name?.replace(/[.@].*/, "").replaceAll("_", "-") || []);
			if (locale) return locale;
		} catch {}
	}
	return "en";
}

/** The exact sum of the prices; `undefined` if one is not known. */
export function sum(lines) {
	const prices = (Array.isArray(lines) ? lines : []).map(line => String(line?.price_paid));
	if (!prices.length || prices.some(price => !/^-?\d+(\.\d+)?$/.test(price))) return undefined;
	const places = Math.max(...prices.map(price => price.split(".")[1]?.length ?? 0));
	const total = prices.reduce((total, price) => {
		const [whole, part = ""] = price.split(".");
		return total + BigInt(whole + part.padEnd(places, "0"));
	}, 0n);
	const digits = String(total).replace("-", "").padStart(places + 1, "0");
	return (total < 0n ? "-" : "") + digits.slice(0, digits.length - places) + (places ? `.${digits.slice(-places)}` : "");
}

export class Format {
	constructor(locale, zone) {
		try {
			this.zone = new Intl.DateTimeFormat("en", {timeZone: zone}).resolvedOptions().timeZone;
		} catch {
			this.zone = "UTC";
		}
		const date = (options, timeZone = this.zone) => {
			const format = new Intl.DateTimeFormat(locale, {timeZone, ...options});
			return at => {
				const time = new Date(at);
				return at === null || Number.isNaN(+time) ? String(at) : format.format(time);
			};
		};
		this.day = date({dateStyle: "medium"});
		this.moment = date({dateStyle: "medium", timeStyle: "short"});
		this.month = date({month: "long", year: "numeric"});
		// A date without a time is the same day in every time zone.
		this.date = date({dateStyle: "medium"}, "UTC");
		this.monthOnly = date({month: "short", year: "numeric"}, "UTC");
		const numbers = new Map();
		const formatter = options => {
			const key = JSON.stringify(options);
			if (!numbers.has(key)) numbers.set(key, new Intl.NumberFormat(locale, options));
			return numbers.get(key);
		};
		this.number = value => (Number.isNaN(Number(value)) ? String(value) : formatter({maximumFractionDigits: 20}).format(String(value)));
		this.percent = value => formatter({style: "percent", maximumFractionDigits: 1}).format(Number(value));
		/** An amount with all its decimals: a price can be 0.0000005. */
		this.money = ({currency, amount}) => {
			const text = String(amount);
			if (!/^-?\d+(\.\d+)?$/.test(text) || !/^[A-Za-z]{3}$/.test(currency)) return [text, currency].filter(part => typeof part === "string").join(" ");
			const options = {style: "currency", currency};
			const usual = formatter(options).resolvedOptions().maximumFractionDigits;
			const places = text.split(".")[1]?.replace(/0+$/, "").length ?? 0;
			return formatter(places > usual ? {...options, maximumFractionDigits: Math.min(places, 20)} : options).format(text);
		};
		const relative = new Intl.RelativeTimeFormat(locale, {numeric: "auto"});
		this.ago = at => {
			const days = Math.round((new Date(at) - Date.now()) / 86_400_000);
			if (Number.isNaN(days)) return String(at);
			const [unit, length] = days > -45 ? ["day", 1] : days > -700 ? ["month", 30.4] : ["year", 365];
			return relative.format(Math.round(days / length), unit);
		};
	}
}
