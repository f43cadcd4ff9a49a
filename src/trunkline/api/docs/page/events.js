// Shows asyncapi.json of the same server: the ways out, every event, and what they are made of.

import { element, paragraphs, prose, resolved, rows, start } from "/docs/elements.js";

const nameOf = (reference) => reference.$ref.split("/").pop();
const soft = (text) => element("span", { class: "soft" }, text);

// What a value looks like; an object with a name of its own is a link to it.
function type(api, schema) {
  if (schema.$ref) {
    const name = nameOf(schema).replace(/\.lower$/, "");
    return [element("a", { href: `#${name}` }, element("code", {}, name))];
  }
  if ("const" in schema) return [element("code", {}, JSON.stringify(schema.const))];
  if (schema.enum) return [element("code", {}, schema.enum.map((value) => JSON.stringify(value)).join(" | "))];
  if (schema.anyOf) {
    return schema.anyOf.flatMap((one, i) => (i ? [" or ", ...type(api, one)] : type(api, one)));
  }
  if (schema.type === "array") return ["list of ", ...type(api, schema.items)];
  return [element("code", {}, schema.type || "any")];
}

function fields(api, schema, absent = "where known") {
  const required = new Set(schema.required || []);
  return rows(Object.entries(schema.properties || {}).map(([name, field]) => [
    element("code", {}, name),
    ...type(api, field), " ",
    ...prose(field.description || ""),
    ...(required.has(name) ? [] : [soft(` (${absent})`)]),
  ]));
}

function example(value) {
  const line = JSON.stringify(value);
  const text = line.length < 80 ? line : JSON.stringify(value, null, 2);
  return element("pre", {}, element("code", {}, text));
}

function folded(title, ...inside) {
  return element("details", {}, element("summary", {}, title), ...inside);
}

function headers(message) {
  if (!message.examples[0].headers) return [];
  const lines = Object.entries(message.examples[0].headers).map(([name, value]) => `${name}: ${value}`);
  return [element("pre", {}, element("code", {}, lines.join("\n")))];
}

// ---- Ways out ------------------------------------------------------------------------------------

function messagesOf(api, channel, action) {
  return Object.values(api.operations)
    .filter((one) => one.action === action && nameOf(one.channel) === channel)
    .flatMap((one) => [...one.messages, ...((one.reply || {}).messages || [])])
    .map((reference) => resolved(api, resolved(api, reference)))
    .filter((message, i, all) => !message.tags && all.indexOf(message) === i);
}

function spoken(api, id, message) {
  const reference = (name) => `#/channels/${id}/messages/${name}`;
  const asked = Object.values(api.operations).some((one) =>
    one.action === "receive" && one.messages.some(({ $ref }) => $ref === reference(message.name)));
  return [
    element("h3", {}, asked ? "You send " : "You get ", element("code", {}, message.name)),
    element("p", {}, ...prose(message.summary)),
    fields(api, resolved(api, message.payload), asked ? "optional" : "where it applies"),
    example(message.examples[0].payload),
  ];
}

function way(api, id) {
  const channel = api.channels[id];
  const server = resolved(api, channel.servers[0]);
  const answered = channel.messages.CHANNEL_ANSWER;
  const one = resolved(api, answered);
  const commands = [...messagesOf(api, id, "receive"), ...messagesOf(api, id, "send")];
  return element("section", { id },
    element("h2", {}, channel.title),
    element("p", { class: "route" },
      element("span", { class: "method" }, channel.address ? server.protocol.toUpperCase() : "POST"),
      element("code", {}, channel.address || "your URL")),
    ...paragraphs(channel.description),
    ...commands.flatMap((message) => spoken(api, id, message)),
    element("h3", {}, "You get events"),
    ...headers(one), example(one.examples[0].payload));
}

// ---- Events --------------------------------------------------------------------------------------

const FORMS = [
  ["socketIo", "Socket.IO"], ["webSocket", "Raw WebSocket"], ["stream", "SSE, webhooks and GET /v1/events"],
];

function eventNames(api) {
  const all = Object.entries(api.channels.socketIo.messages);
  return all.filter(([, reference]) => resolved(api, reference).tags).map(([name]) => name);
}

function event(api, name) {
  const message = resolved(api, api.channels.socketIo.messages[name]);
  return element("section", { id: name },
    element("h2", {}, element("code", {}, name)),
    element("p", {}, ...prose(message.summary)),
    folded("Keys", fields(api, resolved(api, message.payload))),
    ...FORMS.map(([channel, title]) => folded(`Example: ${title}`,
      example(resolved(api, api.channels[channel].messages[name]).examples[0].payload))));
}

// ---- What they are made of -----------------------------------------------------------------------

function parts(api) {
  const events = new Set(eventNames(api).map((name) =>
    nameOf(resolved(api, api.channels.socketIo.messages[name]).payload)));
  const linked = JSON.stringify(api).matchAll(/"#\/components\/schemas\/(\w+)"/g);
  const names = [...new Set([...linked].map(([, name]) => name))];
  const commands = new Set([...messagesOf(api, "socketIo", "receive"), ...messagesOf(api, "socketIo", "send"),
    ...messagesOf(api, "webSocket", "receive")].map((message) => nameOf(message.payload)));
  return names.filter((name) => !events.has(name) && !commands.has(name));
}

function part(api, name) {
  const schema = api.components.schemas[name];
  return element("section", { id: name },
    element("h2", {}, element("code", {}, name)),
    element("p", {}, ...prose(schema.description)),
    fields(api, schema));
}

function links(title, names, words = (name) => name) {
  return [element("strong", {}, title),
    ...names.map((name) => element("a", { href: `#${name}` }, words(name)))];
}

start("/asyncapi.json", (api) => {
  const [ways, events, made] = [Object.keys(api.channels), eventNames(api), parts(api)];
  return {
    contents: [
      ...links("Ways out", ways, (id) => api.channels[id].title),
      ...links("Events", events),
      ...links("Made of", made),
    ],
    sections: [
      ...ways.map((id) => way(api, id)),
      ...events.map((name) => event(api, name)),
      ...made.map((name) => part(api, name)),
    ],
  };
});
