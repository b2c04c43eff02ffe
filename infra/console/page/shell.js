/**
 * The frame of the demo page: views, navigation and error boundaries. The page's URL names the view and at most an ID:
 * `#profile=ewne…`, `#imports/0198…`. To add a view, pass it to `startShell`.
 *
 * A view is `{name, title, element, open(value), isHidden, isWide}`. `open` is called when the URL names the view, with the text after
 * `=` or `/`. A hidden view is not in the navigation. A wide view is shown without the sample customers.
 */
export function startShell(views, {main, navigation}) {
  const links = views.map(({ name, title, isHidden }) => {
    const link = document.createElement("a");
    link.href = `#${name}`;
    link.textContent = title;
    link.hidden = isHidden === true;
    return link;
  });
  navigation.hidden = links.filter(({ hidden }) => !hidden).length < 2;
  navigation.replaceChildren(...links);

  /** Shows the view that the URL names; the first one if it names none. */
  function route() {
    const [name, value = ""] = location.hash.slice(1).split(/[=/]/);
    const found = views.findIndex((view) => view.name === name);
    // Other anchors, such as that of the link to the main part, change no view.
    if (found < 0 && main.hasChildNodes()) return;
    const at = Math.max(found, 0);
    const view = views[at];
    for (const [other, link] of links.entries()) link.ariaCurrent = other === at ? "page" : null;
    main.dataset.width = view.isWide ? "wide" : "";
    if (!main.contains(view.element)) main.replaceChildren(view.element);
    try {
      view.open(decodeURIComponent(value));
    } catch (error) {
      console.error(error);
      const failure = Object.assign(document.createElement("p"), { role: "alert", textContent: `${view.title} cannot be shown. The other views are not affected.` });
      main.replaceChildren(failure);
    }
  }

  addEventListener("hashchange", route);
  addEventListener("popstate", route);
  route();
}
