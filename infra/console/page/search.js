/** The search box: finds a customer by any identifier. */

/** Guesses the type of an identifier from its form. */
function guess(text) {
  if (text.includes("@")) return "email";
  if (/^[0-9a-f]{64}$/i.test(text)) return "email_sha256";
  if (/^[0-9a-f]{32}$/i.test(text)) return "email_md5";
  if (/^[a-z2-7]{26}$/.test(text)) return "profile";
  if (/^\+?[\d\s().-]{7,20}$/.test(text)) return "mobile";
  return "customer_id";
}

/** Calls `lookUp` with an identifier, or `openId` with the ID of a profile, when the form is sent. */
export function startSearch(form, { lookUp, openId }) {
  const [value, kind, system] = ["value", "kind", "system"].map((name) => form.elements[name]);
  const chosen = () => kind.value || guess(value.value.trim());

  function fields() {
    system.closest("label").hidden = !["customer_id", "external_id"].includes(chosen()) || !value.value;
    system.required = chosen() === "external_id";
  }

  value.addEventListener("input", fields);
  kind.addEventListener("change", fields);

  form.addEventListener("submit", (event) => {
    event.preventDefault();
    const text = value.value.trim();
    const type = chosen();
    if (type === "profile") return openId(text);
    const name = type === "mobile" ? text.replace(/[\s().-]/g, "") : text;
    lookUp({ [type]: name, ...(!system.closest("label").hidden && system.value ? { system_name: system.value.trim() } : {}) });
  });
}
