// What both pages are made of. Text only ever goes in as text, never as markup.

export function element(name, attributes = {}, ...children) {
  const made = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  made.append(...children);
  return made;
}

// The one piece of Markdown that the texts use: `code`.
export function prose(text = "") {
  const pieces = text.split("`");
  return pieces.map((piece, i) => (i % 2 ? element("code", {}, piece) : piece));
}

export function paragraphs(text = "") {
  return text.trim().split(/\n\s*\n/).map((block) => element("p", {}, ...prose(block)));
}

export function resolved(api, schema) {
  if (!schema || !schema.$ref) return schema || {};
  return schema.$ref.slice(2).split("/").reduce((node, key) => node[key], api);
}

export function rows(entries) {
  const table = element("table", { class: "rows" });
  for (const [head, ...cells] of entries) {
    table.append(element("tr", {}, element("th", { scope: "row" }, head), element("td", {}, ...cells)));
  }
  return table;
}

// Reads the document, shows it, and goes to where the address points.
export function start(address, show) {
  const main = document.getElementById("document");
  fetch(address)
    .then((answer) => answer.json())
    .then((api) => {
      const { contents, sections } = show(api);
      document.getElementById("contents").append(...contents);
      main.replaceChildren(
        element("h1", {}, api.info.title),
        element("p", { class: "soft" }, `${api.info.version} · `,
          element("a", { href: address }, address.slice(1))),
        ...paragraphs(api.info.description),
        ...sections);
      if (location.hash) document.getElementById(location.hash.slice(1))?.scrollIntoView();
    })
    .catch((error) => main.replaceChildren(
      element("p", {}, `${address.slice(1)} could not be read: ${error.message}`)));
}
