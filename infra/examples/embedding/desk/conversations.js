/** Four conversations with customers of the sample data, in the shape of Chatwoot's context. */

const conversation = (id, contact, subject, ...messages) => ({
  contact: { name: "", email: null, phone_number: null, identifier: null, thumbnail: "", custom_attributes: {}, ...contact },
  conversation: { id, meta: { sender: contact, channel: "Channel::Email" }, status: "open", messages: messages.map((content, index) => ({ id: id * 10 + index, content })) },
  subject,
});

export const CONVERSATIONS = [
  conversation(11, { id: 1, name: "Minh Mokoena", email: "minh.mokoena.0@example.com" }, "Two mugs, one chipped",
    "Hello, one of the two mugs from my last order arrived with a chip in the rim.", "I can send a picture if that helps."),
  conversation(12, { id: 2, name: "Samir Andersen", phone_number: "+44 7700 900050" }, "When will my order ship?",
    "Hi! I ordered on Monday and have not heard from you since."),
  conversation(13, { id: 3, name: "Siobhan Byrne", identifier: "C100064" }, "Return label",
    "The label in the box is unreadable. May I have a new one?"),
  conversation(14, { id: 4, name: "Visitor 4" }, "Opening hours", "Are you open on Sunday?"),
];
