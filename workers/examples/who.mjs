// SPDX-License-Identifier: MIT
// Tells who is connected (?name=…): node who.mjs tcp://127.0.0.1:5555
import { randomBytes } from "node:crypto";
import { decodeMulti, encode } from "@msgpack/msgpack";
import { Dealer } from "zeromq";

if (process.argv.length !== 3) {
  console.error("usage: who.mjs ENDPOINT");
  process.exit(1);
}
const sock = new Dealer({ linger: 0 });
const boot = randomBytes(8).toString("hex"); // once a start

// The socket sends one frame at a time: the next waits for the last.
let sent = Promise.resolve();
const send = (...message) => (sent = sent.then(() => sock.send(encode(message))));

function greet() {
  send(1, 1, "worker", boot, "who.mjs", {});
  // Window 1: no other request comes while one waits for its RESULT, so order is kept.
  send(3, ["$connect", "who"], 1, 1 << 20);
}

function tell(id, status, rows) {
  const names = rows.map(([, context]) => context.user ?? "").sort();
  send(5, id, status, status === 200 ? JSON.stringify(names) : null);
}

sock.connect(process.argv[2]);
greet();
setInterval(() => send(16), 500);
for await (const [frame] of sock) {
  for (const [kind, id, ...fields] of decodeMulti(frame)) {
    if (kind === 4 && fields[0] === 1) {
      const { name = "nobody" } = Object.fromEntries(fields[6].query);
      send(5, id, 200, null, { user: name, tenant: "room" });
    } else if (kind === 4) send(12, id, ["tenant", "room"], { limit: 1000 });
    else if (kind === 13) tell(id, ...fields);
    else if (kind === 21) greet();
  }
}
