/** The view of imports. Its modules, texts and styles are loaded when it is first opened. */

/** Creates the view. `page` has the client of the API, and how to open a profile, the search and the form for a token. */
export function importsView(page) {
  const element = document.createElement("section");
  let language = "en";
  let id = "";
  let imports;
  let isLoading = false;
  // Browsers remember that an address could not be imported.
  let again = "";

  async function load() {
    if (isLoading) return;
    isLoading = true;
    element.replaceChildren();
    try {
      const { startImports } = await import(`./imports/view.js${again}`);
      const started = startImports(element, page);
      for (let chosen; chosen !== language;) await started.setLanguage(chosen = language);
      imports = started;
      imports.open(id);
    } catch (error) {
      console.error(error);
      again += "?";
      const retry = Object.assign(document.createElement("button"), { type: "button", textContent: "Try again", onclick: load });
      const text = Object.assign(document.createElement("p"), { role: "alert", textContent: "The imports cannot be shown. Check your connection." });
      element.replaceChildren(text, retry);
    }
    isLoading = false;
  }

  return {
    name: "imports",
    title: "Imports",
    isWide: true,
    element,
    open(value) {
      id = value;
      if (imports) imports.open(id);
      else load();
    },
    setLanguage(name) {
      language = name;
      imports?.setLanguage(name);
    },
  };
}
