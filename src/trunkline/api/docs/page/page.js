// Shows openapi.json of the same server.

import { element, paragraphs, prose, resolved, rows, start } from "/docs/elements.js";

function kind(api, schema) {
  const known = resolved(api, schema);
  if ("const" in known) return JSON.stringify(known.const);
  if (known.enum) return known.enum.map((value) => JSON.stringify(value)).join(" | ");
  const choices = known.oneOf || known.anyOf;
  if (choices) return choices.map((one) => kind(api, one)).join(" | ");
  if (known.type === "array") return `[${kind(api, known.items)}]`;
  if (known.properties) {
    const fields = Object.entries(known.properties);
    return `{${fields.map(([name, field]) => `${name}: ${kind(api, field)}`).join(", ")}}`;
  }
  return [].concat(known.type || "any").join(" | ");
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
    "key" in way ? way.key.join(", ") || "any key" : i ? "or signed" : "hashed",
    ...Object.keys(way).flatMap((name) => {
      const scheme = api.components.securitySchemes[name];
      if (scheme.type === "http") return [element("code", {}, "Authorization: Bearer tlk_…")];
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
  const good = Object.entries(operation.responses).find(([status]) => status.startsWith("2"));
  const json = good && (good[1].content || {})["application/json"];
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

start("/openapi.json", (api) => ({
  contents: contents(api),
  sections: operations(api).map(({ path, method, one }) => operation(api, path, method, one)),
}));
