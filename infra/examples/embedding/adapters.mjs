/**
 * From what a service desk sends to what the Profile tab needs.
 *
 * Each `from…` function takes the message of one product, in the shape that the product documents, and returns:
 * - `{lookup}`: an identifier for the property `lookup` of the tab, or for the body of `POST /profiles/lookup`
 * - `{lookup: null}`: the message names no customer, or one without a usable identifier
 * - `undefined`: the message is of another kind. Keep what is shown.
 *
 * The functions never throw, read no page and send nothing. Email addresses and phone numbers are passed on as they are:
 * the API normalizes them.
 *
 * Option `id`: what the ID field of the desk contains, such as `{type: "customer_id", system_name: "pos"}`. An ID has precedence
 * over an email address and a phone number. Without the option, IDs are ignored.
 */

const isObject = (value) => typeof value === "object" && value !== null && !Array.isArray(value);

/** A trimmed string, or undefined if there is none. Numbers are IDs, too. */
const text = (value) => (typeof value === "string" || typeof value === "number" ? String(value).trim() || undefined : undefined);

/** The best identifier of a customer. */
function identifier({ id: ownId, email, mobile }, { id } = {}) {
  if (id && text(ownId)) return { [id.type]: text(ownId), ...(id.system_name ? { system_name: id.system_name } : {}) };
  if (text(email)) return { email: text(email) };
  if (text(mobile)) return { mobile: text(mobile) };
  return null;
}

function parse(data) {
  if (typeof data !== "string") return data;
  try {
    return JSON.parse(data);
  } catch {
    return undefined;
  }
}

/** Chatwoot: `data` of a `message` event, JSON text of `{event: "appContext", data: {conversation, contact, currentAgent}}`. */
export function fromChatwoot(data, options) {
  const message = parse(data);
  if (!isObject(message) || message.event !== "appContext" || !isObject(message.data)) return undefined;
  const { contact, conversation } = message.data;
  // The contact can be missing while the dashboard loads it. The sender is the same person.
  const person = [contact, conversation?.meta?.sender].find((found) => isObject(found) && text(found.id) !== undefined) ?? {};
  return { lookup: identifier({ id: person.identifier, email: person.email, mobile: person.phone_number }, options) };
}

/** Zendesk: the result of `client.get(["ticket.requester.email", "ticket.requester.externalId"])`, or of `client.get("ticket.requester")`. */
export function fromZendesk(values, options) {
  if (!isObject(values) || !Object.keys(values).some((path) => path === "ticket.requester" || path.startsWith("ticket.requester."))) return undefined;
  const requester = isObject(values["ticket.requester"]) ? values["ticket.requester"] : {};
  const read = (name) => values[`ticket.requester.${name}`] ?? requester[name];
  return { lookup: identifier({ id: read("externalId"), email: read("email") }, options) };
}

const FRONT_KINDS = { email: "email", phone: "mobile", whatsapp: "mobile", custom: "id" };

/** Front: a context of `Front.contextUpdates`. Only a single selected conversation has a customer. */
export function fromFront(context, options) {
  if (!isObject(context)) return undefined;
  if (context.type === "noConversation" || context.type === "multiConversations") return { lookup: null };
  if (context.type !== "singleConversation" || !isObject(context.conversation)) return undefined;
  const { recipient } = context.conversation;
  const handles = Array.isArray(recipient?.contact?.handles) ? recipient.contact.handles : [];
  const person = {};
  for (const { type, handle } of [recipient, ...handles].filter(isObject)) person[FRONT_KINDS[type]] ??= text(handle);
  return { lookup: identifier(person, options) };
}

/** Plain: the body that Plain's servers send to the URL of a customer card. */
export function fromPlain(body, options) {
  const request = parse(body);
  if (!isObject(request) || !Array.isArray(request.cardKeys) || !isObject(request.customer)) return undefined;
  return { lookup: identifier({ id: request.customer.externalId, email: request.customer.email }, options) };
}
