// SPDX-License-Identifier: MIT
// A worker for the route "echo" in Node: node echo.mjs tcp://127.0.0.1:5555
import { randomBytes } from "node:crypto";
import { decodeMulti, encode } from "@msgpack/msgpack";
import { Dealer } from "zeromq";

if (process.argv.length !== 3) {
  console.error("usage: echo.mjs ENDPOINT");
  process.exit(1);
}
const sock = new Dealer({ linger: 0 });
const boot = randomBytes(8).toString("hex"); // once a start

// The socket sends one frame at a time: the next waits for the last.
let sent = Promise.resolve();
const send = (...message) => (sent = sent.then(() => sock.send(encode(message))));

function greet() {
  send(1, 1, "worker", boot, "echo.mjs", {});
  send(3, ["echo"], 64, 1 << 20);
}

sock.connect(process.argv[2]);
greet();
setInterval(() => send(16), 500);
for await (const [frame] of sock) {
  for (const [kind, ...fields] of decodeMulti(frame)) {
    if (kind === 4) send(5, fields[0], 200, fields[4]);
    else if (kind === 21) greet();
  }
}
