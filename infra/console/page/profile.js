/** The view of one customer: the element, and a form for the token if the API requires one. */

import "../customer-profile.js";

/**
 * Creates the view. `lookUp(identifier)` opens a customer by an identifier, which is in no URL. The view's URL contains the
 * profile's ID, which is not personal data.
 */
export function profileView({ api }) {
  const template = document.getElementById("profile-view").content.cloneNode(true);
  const element = document.createElement("div");
  element.append(template);
  const profile = element.querySelector("customer-profile");
  const access = element.querySelector("form");
  if (api) profile.setAttribute("api", api);
  let shown;

  function show({ id, lookup }) {
    if (id) profile.setAttribute("profile", id);
    else profile.removeAttribute("profile");
    profile.lookup = lookup;
  }

  profile.addEventListener("profile-loaded", ({ detail }) => {
    shown = detail.id;
    access.hidden = true;
    // The URL restores this profile. Each lookup adds an entry to the browser's history.
    const hash = `#profile=${detail.id}`;
    if (location.hash !== hash) history.pushState(null, "", hash);
  });

  profile.addEventListener("profile-failed", ({ detail }) => {
    shown = undefined;
    // Otherwise the URL, and a copy of it, would still name the customer before.
    if (detail.status === 404 && location.hash !== "#profile") history.pushState(null, "", "#profile");
    if (detail.status === 401) access.hidden = false;
  });

  access.addEventListener("submit", (event) => {
    event.preventDefault();
    profile.token = access.querySelector("input").value;
    profile.refresh();
  });

  return {
    name: "profile",
    title: "Profile",
    element,
    profile,
    open: (id) => { if (id && id !== shown) show({ id }); },
    lookUp: (lookup) => show({ lookup }),
    openId: (id) => show({ id }),
  };
}
