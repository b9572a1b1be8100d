// SPDX-License-Identifier: MIT
// The chat page.  One socket at a time; what it hears is in chat.c's head.
"use strict";

const BACKOFF_FIRST_MS = 500;
const BACKOFF_MAX_MS = 15000;
const WHO_EVERY_MS = 20000; // mends the list, should a joined or left be missed
const LOG_MAX = 500; // lines kept on the page
const NAME_BYTES = 32; // as in chat.c

const at = (id) => document.getElementById(id);

let socket = null; // the one that counts; events of older ones are ignored
let wish = null; // {name, room} while the user wants to be in a room
let joined = false; // has this wish ever been granted?
let attempts = 0;
let retryTimer = 0;
let people = new Set();

function showState(state, text) {
  at("state").dataset.state = state;
  at("state").textContent = text;
  at("send").disabled = at("text").disabled = state !== "open";
}

function showPlace(isChat) {
  at("chat").hidden = !isChat;
  at("join").hidden = isChat;
  at(isChat ? "text" : "name").focus();
}

function showPeople() {
  const items = [...people].sort((a, b) => a.localeCompare(b)).map((name) => {
    const item = document.createElement("li");
    item.textContent = name;
    item.className = name === wish.name ? "me" : "";
    return item;
  });
  at("people").replaceChildren(...items);
}

function showLine(className, text, from) {
  const log = at("log");
  const isAtEnd = log.scrollHeight - log.scrollTop - log.clientHeight < 60;
  const line = document.createElement("li");
  line.className = className;
  if (from !== undefined) {
    const who = document.createElement("b");
    who.textContent = from;
    line.append(who);
  }
  line.append(text); // a string becomes a text node, never markup
  log.append(line);
  while (log.children.length > LOG_MAX) log.firstChild.remove();
  if (isAtEnd) log.scrollTop = log.scrollHeight;
}

const hear = {
  here(message) {
    people = new Set(message.names);
    showPeople();
  },
  joined(message) {
    people.add(message.name);
    showPeople();
    showLine("note", `${message.name} joined`);
  },
  left(message) {
    people.delete(message.name);
    showPeople();
    showLine("note", `${message.name} left`);
  },
  said(message) {
    const className = message.name === wish.name ? "said mine" : "said";
    showLine(className, message.text, message.name);
  },
  error(message) {
    showLine("note", `Not understood: ${message.text}`);
  },
};

function onMessage(event) {
  const message = JSON.parse(event.data);
  if (Object.hasOwn(hear, message.type)) hear[message.type](message);
  else if (message.message) showLine("note", `Not sent: ${message.message}`);
}

function onOpen() {
  attempts = 0;
  showState("open", "Connected");
  if (!joined) {
    at("log").replaceChildren();
    at("room-name").textContent = wish.room;
    showPlace(true);
  }
  joined = true;
  send({ action: "who" });
}

function showProblem(text) {
  at("problem").textContent = text;
  at("problem").hidden = false;
}

// A browser does not say why a handshake failed: a taken name and a server
// that is away look the same.
function onRefused() {
  showProblem("Could not join: the name may be taken in this room, or the server is away.");
  showState("refused", "Not connected");
  wish = null;
}

function isName(text) {
  const length = new TextEncoder().encode(text).length;
  return length >= 1 && length <= NAME_BYTES;
}

function onClose() {
  socket = null;
  if (!joined) return onRefused();
  // Half fixed, half random: pages that lost one server do not come back at
  // the same moment.
  const most = Math.min(BACKOFF_MAX_MS, BACKOFF_FIRST_MS * 2 ** attempts++);
  const wait = most / 2 + Math.random() * most / 2;
  people.clear();
  showPeople();
  showState("waiting", attempts > 5
    ? "Still trying; the name may be taken by now…"
    : "Connection lost, trying again…");
  retryTimer = setTimeout(connect, wait);
}

function connect() {
  const url = new URL(location.href);
  url.protocol = url.protocol === "https:" ? "wss:" : "ws:";
  url.hash = "";
  url.search = new URLSearchParams(wish);
  const mine = new WebSocket(url);
  const ifMine = (handler) => (event) => mine === socket && handler(event);
  socket = mine;
  mine.onopen = ifMine(onOpen);
  mine.onmessage = ifMine(onMessage);
  mine.onclose = ifMine(onClose);
  showState("waiting", "Connecting…");
}

function send(message) {
  if (socket === null || socket.readyState !== WebSocket.OPEN) return false;
  socket.send(JSON.stringify(message));
  return true;
}

function leave() {
  clearTimeout(retryTimer);
  if (socket !== null) socket.close(1000);
  socket = wish = null;
  showState("away", "Not connected");
  showPlace(false);
}

at("join-form").addEventListener("submit", (event) => {
  event.preventDefault();
  if (socket !== null) return;
  const [name, room] = [at("name").value.trim(), at("room").value.trim()];
  if (!isName(name) || !isName(room)) {
    showProblem(`A name and a room have 1 to ${NAME_BYTES} bytes.`);
    return;
  }
  wish = { name, room };
  joined = false;
  attempts = 0;
  at("problem").hidden = true;
  connect();
});

at("say-form").addEventListener("submit", (event) => {
  event.preventDefault();
  const text = at("text").value.trim();
  if (text !== "" && send({ action: "say", text })) at("text").value = "";
});

at("leave").addEventListener("click", leave);
setInterval(() => send({ action: "who" }), WHO_EVERY_MS);
