/** Text from people and files: HTML to text, and addresses. */

const MAX_HTML = 200_000;

/** The named characters of HTML 4 from U+00A0 on, in the order of their codes. */
const LATIN = ("nbsp iexcl cent pound curren yen brvbar sect uml copy ordf laquo not shy reg macr deg plusmn sup2 sup3 acute micro para middot cedil sup1 ordm raquo "
	+ "frac14 frac12 frac34 iquest Agrave Aacute Acirc Atilde Auml Aring AElig Ccedil Egrave Eacute Ecirc Euml Igrave Iacute Icirc Iuml ETH Ntilde Ograve Oacute Ocirc "
	+ "Otilde Ouml times Oslash Ugrave Uacute Ucirc Uuml Yacute THORN szlig agrave aacute acirc atilde auml aring aelig ccedil egrave eacute ecirc euml igrave iacute "
	+ "icirc iuml eth ntilde ograve oacute ocirc otilde ouml divide oslash ugrave uacute ucirc uuml yacute thorn yuml").split(" ");

/** The Greek letters from U+03B1 on. Those in uppercase are 32 codes before. */
const GREEK = "alpha beta gamma delta epsilon zeta eta theta iota kappa lambda mu nu xi omicron pi rho sigmaf sigma tau upsilon phi chi psi omega".split(" ");

const OTHERS = ("amp & lt < gt > quot \" apos ' OElig Œ oelig œ Scaron Š scaron š Yuml Ÿ fnof ƒ circ ˆ tilde ˜ ensp \u2002 emsp \u2003 thinsp \u2009 zwnj \u200c zwj \u200d lrm \u200e rlm \u200f "
	+ "ndash – mdash — lsquo ‘ rsquo ’ sbquo ‚ ldquo “ rdquo ” bdquo „ dagger † Dagger ‡ bull • hellip … permil ‰ prime ′ Prime ″ lsaquo ‹ rsaquo › euro € trade ™ "
	+ "larr ← uarr ↑ rarr → darr ↓ harr ↔ minus − infin ∞ ne ≠ le ≤ ge ≥ asymp ≈ radic √ sum ∑ check ✓ star ☆ starf ★ phone ☎ spades ♠ clubs ♣ hearts ♥ diams ♦").split(" ");

/** The characters that HTML gives the numbers 128 to 159. */
const WINDOWS = "€\u0081‚ƒ„…†‡ˆ‰Š‹Œ\u008dŽ\u008f\u0090‘’“”•–—˜™š›œ\u009džŸ";

const NAMED = new Map([
	...LATIN.map((name, at) => [name, String.fromCharCode(160 + at)]),
	...GREEK.flatMap((name, at) => [[name, String.fromCharCode(945 + at)], [name[0].toUpperCase() + name.slice(1), String.fromCharCode(913 + at)]]),
	...OTHERS.flatMap((name, at) => (at % 2 ? [] : [[name, OTHERS[at + 1]]])),
]);

function character(whole, name, number, hex) {
	if (name) return NAMED.get(name) ?? whole;
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
		.replace(/[\u034f\u00ad\u200b\ufeff]|\u200c(?=\s)/g, "").replace(/(?:[\t \u00a0]*\n){3,}/g, "\n\n").trim().toWellFormed() + (isCut ? "…" : "");
}

/** The address of a link or picture: http or https, without user name and password. */
export function webAddress(text) {
	const url = URL.canParse(text) && new URL(text);
	if (!url || !/^https?:$/.test(url.protocol)) return undefined;
	url.username = url.password = "";
	return url.href;
}
