// A Socket.IO client of any age, driven by lines on its standard input.
//
//   node speak.mjs v0|v1|v2|v3|v4 URL websocket|polling|default [JSON to emit at each connect]
//
// Each line in is a JSON array, emitted with an acknowledgement. Each line out is {"event", "data"}:
// a server's event, @connect, @upgrade, @disconnect, @ack (the acknowledgement), @refused (another
// namespace was asked for by a line {"namespace": "/x"}). The line "disconnect" says goodbye. Ends with
// its standard input.
import { createRequire } from "node:module";
import { createInterface } from "node:readline";

const [age, url, transport, always] = process.argv.slice(2);
const io = createRequire(import.meta.url)(age === "v4" ? "socket.io-client" : `socket.io-client-${age}`);
const old = age === "v0";
const polling = old ? "xhr-polling" : "polling";
const transports = transport === "default" ? {} : { transports: [transport === "polling" ? polling : transport] };
const quick = old
  ? { "force new connection": true, "reconnection delay": 50 }
  : { forceNew: true, reconnectionDelay: 50, reconnectionDelayMax: 100 };

const print = (event, data) => process.stdout.write(JSON.stringify({ event, data }) + "\n");
const socket = (io.connect ?? io)(url, { ...transports, ...quick });
const emit = (words) => socket.emit(...words, (answer) => print("@ack", answer));

if (always) emit(JSON.parse(always)); // outside on("connect"), as Kazoo's samples do
socket.io?.engine?.once("upgrade", (transport) => print("@upgrade", transport.name));
socket.on("connect", () => print("@connect", (socket.io?.engine ?? socket.socket).transport.name));
socket.on("disconnect", (reason) => print("@disconnect", reason ?? null));
for (const name of ["CHANNEL_CREATE", "CHANNEL_ANSWER", "DEVICE_ONLINE", "GAP", "error", "auth_failure"])
  socket.on(name, (...data) => print(name, data.length === 1 ? data[0] : data));

createInterface({ input: process.stdin })
  .on("line", (line) => {
    const said = JSON.parse(line);
    if (Array.isArray(said)) return emit(said);
    if (said === "disconnect") return socket.disconnect();
    const other = old ? socket.of(said.namespace) : socket.io.socket(said.namespace);
    const refused = (why) => print("@refused", why?.message ?? why ?? "");
    for (const event of ["connect_error", "connect_failed", "error"]) other.on(event, refused);
    other.connect?.();
  })
  .on("close", () => process.exit(0));
