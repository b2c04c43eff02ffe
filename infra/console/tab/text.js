const MAX_HTML = 200_000;

/** Named characters of HTML. Letters with an accent are composed of letter and mark. */
const NAMED = new Map(("amp & lt < gt > quot \" apos ' nbsp \u00a0 iexcl ¡ cent ¢ pound £ yen ¥ sect § copy © ordf ª laquo « not ¬ shy \u00ad reg ® deg ° "
	+ "plusmn ± sup2 ² sup3 ³ micro µ para ¶ middot · sup1 ¹ ordm º raquo » frac14 ¼ frac12 ½ frac34 ¾ iquest ¿ AElig Æ ETH Ð times × Oslash Ø THORN Þ szlig ß aelig æ eth ð divide ÷ "
	+ "oslash ø thorn þ OElig Œ oelig œ ensp \u2002 emsp \u2003 thinsp \u2009 zwnj \u200c zwj \u200d lrm \u200e rlm \u200f ndash – mdash — lsquo ‘ rsquo ’ sbquo ‚ ldquo “ rdquo ” "
	+ "bdquo „ dagger † bull • hellip … permil ‰ prime ′ lsaquo ‹ rsaquo › euro € trade ™ larr ← uarr ↑ rarr → darr ↓ minus − infin ∞ ne ≠ le ≤ ge ≥ check ✓ star ☆ starf ★ hearts ♥")
	.match(/\S+ (?:\S|\s)(?= |$)/g).map(pair => [pair.slice(0, -2), pair.at(-1)]));
const MARKS = {__proto__: null, grave: "\u0300", acute: "\u0301", circ: "\u0302", tilde: "\u0303", uml: "\u0308", ring: "\u030a", cedil: "\u0327", caron: "\u030c"};

/** The characters that HTML gives the numbers 128 to 159. */
const WINDOWS = "€\u0081‚ƒ„…†‡ˆ‰Š‹Œ\u008dŽ\u008f\u0090‘’“”•–—˜™š›œ\u009džŸ";

function character(whole, name, number, hex) {
	if (name) {
		const mark = MARKS[name.slice(1)];
		return mark ? (name[0] + mark).normalize() : NAMED.get(name) ?? whole;
	}
	const code = number ? Number(number) : parseInt(hex, 16);
	return WINDOWS[code - 128] ?? (code <= 0x10ffff ? String.fromCodePoint(code) : whole);
}

/**
 * The text of an email's HTML. It uses patterns, since the page's policy forbids DOMParser. A pattern that has
 * matched a start also accepts the end of the text, so nothing is searched twice and the time is linear.
 */
export function plain(html) {
	const isCut = html.length > MAX_HTML;
	return html.slice(0, MAX_HTML)
		.replace(/<(?:(style|script|title)\b[^]*?(?:<\/\1\s*>|$)|!(?=--)[^]*?(?:-->|$))/gi, "")
		.replace(/<(?:(br|\/(?:p|div|tr|h\d|li))\b|\/?[a-z!])[^>]*(>|$)/gi, (tag, line, end) => (end ? line && "\n" : !isCut && tag) || "")
		.replace(/&(?:([a-z]\w{1,7})|#(\d{1,7})|#x([\da-f]{1,6}));/gi, character)
		// Senders pad the preview of an email with invisible characters.
		.replace(/[\u034f\u00ad\u200b\ufeff]|\u200c(?=\s)/g, "").replaceAll("\u00a0", " ").replace(/\n{3,}/g, "\n\n").trim().toWellFormed() + (isCut ? "…" : "");
}

/** The address of a link or picture: http or https, without user name and password. */
export function webAddress(text) {
	const url = URL.canParse(text) && new URL(text);
	if (!url || !/^https?:$/.test(url.protocol)) return undefined;
	url.username = url.password = "";
	return url.href;
}
