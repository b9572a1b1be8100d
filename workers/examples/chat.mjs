// SPDX-License-Identifier: MIT
// The worker behind the page in chat/, as chat.c, with the protocol alone: a name is a
// user, a room a group (for pushes) and a tenant (to ask who is there); nothing is kept
// here, so run as many as you like.  node chat.mjs tcp://127.0.0.1:5555
import { randomBytes } from "node:crypto";
import { decodeMulti, encode } from "@msgpack/msgpack";
import { Dealer } from "zeromq";

const REQUEST = 4, REPLY = 5, PUSH = 6, PUSHED = 7, QUERY = 12, RESULT = 13, PING = 16, WHO = 21;
const NAME_BYTES = 32, TEXT_BYTES = 4096;
const USAGE = 'This chat understands {"action":"say","text":"…"} and {"action":"who"}';

if (process.argv.length !== 3) {
  console.error("usage: chat.mjs ENDPOINT");
  process.exit(1);
}
const sock = new Dealer({ linger: 0 });
const boot = randomBytes(8).toString("hex"); // once a start

// The socket sends one frame at a time: the next waits for the last.
let sent = Promise.resolve();
const send = (...message) => (sent = sent.then(() => sock.send(encode(message))));

// --- questions and their answers ---------------------------------------------

let waiting = new Map(); // of the broker that knows us: by number, who waits
let numbers = 0;

// What comes under this number; for ever, if the broker forgets us: what we held is over.
function answer(ask) {
  const number = ++numbers;
  ask(number);
  return new Promise((resolve) => waiting.set(number, resolve));
}

const push = (target, message, options = {}) =>
  send(PUSH, target, JSON.stringify(message), options);

// Does it reach somebody?
async function reaches(connection, message) {
  const [delivered] = await answer((ack) => push(["connection", connection], message, { ack }));
  return delivered > 0;
}

// [connection, context] of all, page by page.
async function* find(...what) {
  for (let options = {}; options !== null;) {
    const [status, rows, more] = await answer((number) => send(QUERY, number, what, options));
    if (status !== 200) throw new Failure(status);
    yield* rows;
    options = more?.cursor === undefined ? null : { cursor: more.cursor };
  }
}

// --- handlers: each returns the fields of its REPLY: status, body, options ----

class Failure extends Error {
  constructor(status) {
    super();
    this.status = status;
  }
}

const bytes = (text) => Buffer.byteLength(text);
const isName = (text) => bytes(text) >= 1 && bytes(text) <= NAME_BYTES && !text.includes("\0");

function textOf(body) {
  try {
    const { text } = JSON.parse(body);
    if (typeof text === "string" && text !== "") return text;
  } catch { /* whatever JSON may hold besides a text */ }
  throw new Failure(400);
}

const handlers = {
  async $connect({ details }) {
    const query = Object.fromEntries([...details.query].reverse()); // the first of a name counts
    const name = query.name ?? "", room = query.room || "lobby";
    if (!isName(name) || !isName(room)) return [400, "A name and a room have 1 to 32 bytes"];
    for await (const [connection, context] of find("user", name)) {
      if (context.tenant === room && await reaches(connection, { type: "taken", name })) {
        return [409, "Somebody in this room has that name"];
      }
    }
    push(["group", room], { type: "joined", name });
    return [200, null, { user: name, tenant: room, groups: [room] }];
  },
  async $disconnect({ name, room }) {
    push(["group", room], { type: "left", name });
    return [200, null];
  },
  async say({ name, room, body }) {
    const text = textOf(body);
    if (bytes(text) > TEXT_BYTES) throw new Failure(413);
    push(["group", room], { type: "said", name, text });
    return [200, null];
  },
  async who({ name, room }) {
    const names = [];
    for await (const [, context] of find("tenant", room)) names.push(context.user);
    return [200, JSON.stringify({ type: "here", you: name, room, names })];
  },
  async $default() {
    return [200, JSON.stringify({ type: "error", text: USAGE })];
  },
};

async function handle(id, event, connection, route, body, deadline, context, details) {
  const { user: name, tenant: room } = context ?? {};
  let fields = [403, null]; // no $connect of ours has let it in
  if (room !== undefined || route === "$connect" || route === "$default") {
    try {
      fields = await handlers[route]({ name, room, body, details });
    } catch (error) {
      if (!(error instanceof Failure)) throw error;
      fields = [error.status, null];
    }
  }
  send(REPLY, id, ...fields);
}

// --- the broker ----------------------------------------------------------------

function greet() {
  waiting = new Map();
  send(1, 1, "worker", boot, "chat.mjs", {});
  // Window 1: no other request comes while one waits for an answer, so order is kept.
  send(3, Object.keys(handlers), 1, 1 << 20);
}

function hear(number, ...fields) {
  waiting.get(number)?.(fields);
  waiting.delete(number);
}

sock.connect(process.argv[2]);
greet();
setInterval(() => send(PING), 500);
for await (const [frame] of sock) {
  for (const [kind, ...fields] of decodeMulti(frame)) {
    if (kind === REQUEST) handle(...fields);
    else if (kind === RESULT || kind === PUSHED) hear(...fields);
    else if (kind === WHO) greet();
  }
}
