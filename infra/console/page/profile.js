/** The view of one customer: the element, and a form for the token if the API requires one. */

import "../customer-profile.js";

/** Creates the view. Its URL contains the profile's ID, which is not personal data. */
export function profileView({ api }) {
  const template = document.getElementById("profile-view").content.cloneNode(true);
  const element = document.createElement("div");
  element.append(template);
  const profile = element.querySelector("customer-profile");
  const access = element.querySelector("form");
  if (api) profile.setAttribute("api", api);
  let shown;
  let again = () => profile.refresh();

  function show({ id, lookup }) {
    if (id) profile.setAttribute("profile", id);
    else profile.removeAttribute("profile");
    profile.lookup = lookup;
  }

  /**
   * Shows the profile of an identifier, or that of an ID. Returns the problem if there is none, or if the value is not an identifier of its
   * type. Other failures are shown in the view.
   */
  function lookUp({ id, ...lookup }) {
    return new Promise((resolve) => {
      const done = new AbortController();
      const end = (problem) => {
        done.abort();
        resolve(problem);
      };
      profile.addEventListener("profile-loaded", () => end(), { signal: done.signal });
      profile.addEventListener("profile-failed", ({ detail }) => end([400, 404].includes(detail.status) ? detail : undefined), { signal: done.signal });
      if (location.hash && !location.hash.startsWith("#profile")) location.hash = "profile";
      show(id ? { id } : { lookup });
    });
  }

  /** Shows a new profile, and moves the focus to the note. A read can be too early to find it. */
  async function openNew(id) {
    let problem = await lookUp({ id });
    for (let tries = 0; problem && tries < 3; tries++) {
      await new Promise((resolve) => setTimeout(resolve, 1000));
      // The support agent may have opened another view meanwhile.
      if (location.hash !== "#profile") return;
      problem = await lookUp({ id });
    }
    if (!problem) profile.writeNote();
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
    if (detail.type === "/problems/profile-not-found" && location.hash !== "#profile") history.pushState(null, "", "#profile");
    if (detail.status === 401) ask(() => profile.refresh());
  });

  /** Asks for a token. `next` is called when there is one. */
  function ask(next) {
    again = next;
    access.hidden = false;
  }

  access.addEventListener("submit", (event) => {
    event.preventDefault();
    profile.token = access.querySelector("input").value;
    again();
  });

  return {
    name: "profile",
    title: "Customers",
    element,
    profile,
    open: (id) => { if (id && id !== shown) show({ id }); },
    lookUp,
    openNew,
    openId: (id) => { location.hash = `profile=${id}`; },
    /** Opens a profile instead of the view that is shown. The browser's back button skips that view. */
    replaceBy: (id) => location.replace(`#profile=${id}`),
    /** Asks for a token, then calls `next`. */
    signIn: (next) => {
      location.replace("#profile");
      ask(next);
      access.querySelector("input").focus();
    },
  };
}
