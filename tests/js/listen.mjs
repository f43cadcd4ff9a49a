// Prints the events of an account, one line of JSON for each: {"event": NAME, "data": {…}}.
//
//   node listen.mjs URL ACCOUNT_ID TOKEN BINDING… [--after N] [--transport websocket|polling]
//
// The first line after each connect is {"event": "@subscribed", "data": […]}. After a reconnect it
// resumes from the last Event-Seq that it has seen. Ends with its standard input, or on SIGTERM.
import { io } from "socket.io-client";
import { parseArgs } from "node:util";

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: { after: { type: "string" }, transport: { type: "string" } },
});
const [url, account_id, auth_token, ...bindings] = positionals;
let last = values.after === undefined ? undefined : Number(values.after);

const print = (event, data) => process.stdout.write(JSON.stringify({ event, data }) + "\n");
const socket = io(url, values.transport ? { transports: [values.transport] } : {});

socket.on("connect", async () => {
  const after = last === undefined ? {} : { after: last };
  const acks = bindings.map((binding) =>
    socket.timeout(10000).emitWithAck("subscribe", { account_id, auth_token, binding, ...after }),
  );
  print("@subscribed", await Promise.all(acks));
});
socket.on("disconnect", (reason) => print("@disconnect", reason));
socket.on("connect_error", (error) => print("@connect_error", error.message));
socket.onAny((event, data) => {
  if (Number.isInteger(data?.["Event-Seq"])) last = Math.max(last ?? 0, data["Event-Seq"]);
  print(event, data);
});

const end = () => {
  socket.disconnect();
  process.exit(0);
};
process.on("SIGTERM", end);
process.stdin.on("end", end).resume();
