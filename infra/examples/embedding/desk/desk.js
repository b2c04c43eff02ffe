/** The desk: lists conversations, and sends the open one's customer to the frame, as Chatwoot sends it to a dashboard app. */

import { CONVERSATIONS } from "./conversations.js";

const frame = document.querySelector("iframe");
const FRAME = new URL(frame.src).origin;
const AGENT = { id: 7, name: "Ava Agent", email: "ava@desk.example" };
const [list, subject, sender, messages] = ["list", "subject", "sender", "messages"].map((id) => document.getElementById(id));

let [open] = CONVERSATIONS;
let isFrameReady = false;

/** The second argument keeps personal data from any other page that the frame may show. */
function sendContext() {
  const { conversation, contact } = open;
  frame.contentWindow.postMessage(JSON.stringify({ event: "appContext", data: { conversation, contact, currentAgent: AGENT } }), FRAME);
}

addEventListener("message", ({ origin, source, data }) => {
  if (origin !== FRAME || source !== frame.contentWindow || data !== "chatwoot-dashboard-app:fetch-info") return;
  isFrameReady = true;
  sendContext();
});

const element = (name, text) => Object.assign(document.createElement(name), { textContent: text });

function show(chosen) {
  open = chosen;
  subject.textContent = open.subject;
  sender.textContent = open.contact.name;
  messages.replaceChildren(...open.conversation.messages.map(({ content }) => element("li", content)));
  for (const [index, button] of [...list.querySelectorAll("button")].entries()) button.ariaCurrent = String(CONVERSATIONS[index] === open);
  if (isFrameReady) sendContext();
}

list.append(...CONVERSATIONS.map((each) => {
  const button = document.createElement("button");
  button.append(element("strong", each.contact.name), element("span", each.subject));
  button.addEventListener("click", () => show(each));
  const item = document.createElement("li");
  item.append(button);
  return item;
}));
show(open);
