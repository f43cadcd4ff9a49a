"use strict";

// Shows openapi.json of the same server. Text only ever goes in as text, never as markup.

function element(name, attributes = {}, ...children) {
  const made = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  made.append(...children);
  return made;
}

// The one piece of Markdown that the texts use: `code`.
function prose(text = "") {
  const pieces = text.split("`");
  return pieces.map((piece, i) => (i % 2 ? element("code", {}, piece) : piece));
}

function paragraphs(text = "") {
  return text.trim().split(/\n\s*\n/).map((block) => element("p", {}, ...prose(block)));
}

function resolved(api, schema) {
  if (!schema || !schema.$ref) return schema || {};
  return schema.$ref.slice(2).split("/").reduce((node, key) => node[key], api);
}

function kind(api, schema) {
  const known = resolved(api, schema);
  if ("const" in known) return JSON.stringify(known.const);
  if (known.enum) return known.enum.map((value) => JSON.stringify(value)).join(" | ");
  if (known.oneOf) return known.oneOf.map((one) => kind(api, one)).join(" | ");
  if (known.type === "array") return `[${kind(api, known.items)}]`;
  if (known.properties) {
    const fields = Object.entries(known.properties);
    return `{${fields.map(([name, field]) => `${name}: ${kind(api, field)}`).join(", ")}}`;
  }
  return [].concat(known.type || "any").join(" | ");
}

function rows(entries) {
  const table = element("table", { class: "rows" });
  for (const [head, ...cells] of entries) {
    table.append(element("tr", {}, element("th", { scope: "row" }, head), element("td", {}, ...cells)));
  }
  return table;
}

function described(api, schema, text) {
  const known = resolved(api, schema);
  const words = prose(text || known.description || "");
  return [element("code", {}, kind(api, schema)), " ", ...words];
}

function fields(api, schema) {
  const known = resolved(api, schema);
  if (known.type === "array") return fields(api, known.items);
  if (!known.properties) return element("p", {}, element("code", {}, kind(api, known)));
  const required = new Set(known.required || []);
  return rows(Object.entries(known.properties).map(([name, field]) => [
    element("code", {}, name),
    ...described(api, field),
    ...(required.has(name) ? [] : [element("span", { class: "soft" }, " (optional)")]),
  ]));
}

function security(api, operation) {
  const ways = (operation.security || []).filter((way) => Object.keys(way).length);
  if (!ways.length) return [];
  const shown = ways.map((way, i) => [
    i ? "or signed" : "hashed",
    ...Object.keys(way).flatMap((name) => {
      const scheme = api.components.securitySchemes[name];
      return [element("code", {}, scheme.name), ` in ${scheme.in}: `, ...prose(scheme.description), element("br")];
    }),
  ]);
  return [element("h3", {}, "Who is asking"), rows(shown)];
}

function parameters(api, operation) {
  if (!operation.parameters) return [];
  const shown = operation.parameters.map((parameter) => [
    element("code", {}, parameter.name),
    ...described(api, parameter.schema, parameter.description),
    element("span", { class: "soft" }, ` (${parameter.in}${parameter.required ? "" : ", optional"})`),
  ]);
  return [element("h3", {}, "Parameters"), rows(shown)];
}

function body(api, operation) {
  const content = operation.requestBody && operation.requestBody.content["application/json"];
  return content ? [element("h3", {}, "JSON body"), fields(api, content.schema)] : [];
}

function responses(api, operation) {
  const shown = Object.entries(operation.responses).map(([status, response]) => {
    const bad = Number(status) >= 400 ? " bad" : "";
    return [element("span", { class: `status${bad}` }, status), ...prose(response.description)];
  });
  const good = operation.responses["200"].content || {};
  const json = good["application/json"];
  const answer = json ? [element("h3", {}, "The answer's JSON"), fields(api, json.schema)] : [];
  return [...answer, element("h3", {}, "Answers"), rows(shown)];
}

function operation(api, path, method, described_) {
  return element("section", { id: described_.operationId },
    element("h2", {}, described_.summary),
    element("p", { class: "route" },
      element("span", { class: "method" }, method.toUpperCase()), element("code", {}, path)),
    ...paragraphs(described_.description),
    ...security(api, described_),
    ...parameters(api, described_),
    ...body(api, described_),
    ...responses(api, described_));
}

function operations(api) {
  return Object.entries(api.paths).flatMap(([path, item]) =>
    Object.entries(item).map(([method, one]) => ({ path, method, one })));
}

function contents(api) {
  const all = operations(api);
  return api.tags.flatMap((tag) => [
    element("strong", {}, tag.name),
    ...all.filter(({ one }) => one.tags.includes(tag.name))
      .map(({ one }) => element("a", { href: `#${one.operationId}` }, one.summary)),
  ]);
}

function show(api) {
  document.getElementById("contents").replaceChildren(...contents(api));
  document.getElementById("document").replaceChildren(
    element("h1", {}, api.info.title),
    element("p", { class: "soft" }, `${api.info.version} · `, element("a", { href: "/openapi.json" }, "openapi.json")),
    ...paragraphs(api.info.description),
    ...operations(api).map(({ path, method, one }) => operation(api, path, method, one)));
  if (location.hash) document.getElementById(location.hash.slice(1))?.scrollIntoView();
}

fetch("/openapi.json")
  .then((answer) => answer.json())
  .then(show)
  .catch((error) => document.getElementById("document").replaceChildren(
    element("p", {}, `openapi.json could not be read: ${error.message}`)));
