// SPDX-License-Identifier: MIT
// The chat page in a real browser, with the real server and worker:
//
//   node chat.mjs        HOIST_BUILD names the build; HOIST_SHOTS a folder for
//                        screenshots, when one wants to look
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import puppeteer from "puppeteer-core";

const root = join(dirname(fileURLToPath(import.meta.url)), "../..");
const build = process.env.HOIST_BUILD ?? join(root, "build/release");
const shots = process.env.HOIST_SHOTS;
const WAIT_MS = 30000; // for whatever has to happen

const children = [];

function start(program, ...args) {
  const child = spawn(join(build, program), args, { stdio: ["ignore", "ignore", "pipe"] });
  child.log = "";
  child.stderr.on("data", (data) => (child.log += data));
  children.push(child);
  return child;
}

async function find(child, pattern) {
  const signal = AbortSignal.timeout(WAIT_MS);
  while (!pattern.test(child.log)) {
    assert.equal(child.exitCode, null, child.log);
    await once(child.stderr, "data", { signal });
  }
  return child.log.match(pattern)[1];
}

async function stop(child, signal = "SIGTERM") {
  if (child.exitCode !== null || child.signalCode !== null) return;
  child.kill(signal);
  await once(child, "exit");
}

async function serve(listen, workers) {
  const server = start("cli/hoist", "serve", "--require-connect", "--drain-time=1000",
    `--listen=${listen}`, `--workers=${workers}`, `--static=${root}/workers/examples/chat`);
  server.workers = await find(server, /BROKER-LISTENING workers=(\S+)/);
  server.address = await find(server, /GATEWAY-LISTENING address=(\S+)/);
  return server;
}

// --- what people do ---------------------------------------------------------

async function open(browser, server) {
  const context = await browser.createBrowserContext();
  const page = await context.newPage();
  page.setDefaultTimeout(WAIT_MS);
  page.faults = [];
  page.on("pageerror", (error) => page.faults.push(String(error)));
  await page.goto(`http://${server.address}/`);
  return page;
}

async function enter(page, name) {
  await page.type("#name", name);
  await page.click("#join-form button");
}

async function say(page, text) {
  await page.type("#text", text);
  await page.click("#send");
}

const sees = (page, text) => page.waitForFunction(
  (text) => document.body.innerText.includes(text), {}, text);
const state = (page, state) => page.waitForSelector(`#state[data-state="${state}"]`);
const people = (page, ...names) => page.waitForFunction((names) =>
  [...document.querySelectorAll("#people li")].map((li) => li.textContent).join() === names,
  {}, names.join());
const shoot = (page, name) => shots && page.screenshot({ path: join(shots, `${name}.png`) });

// --- the story ---------------------------------------------------------------

async function story(browser) {
  let server = await serve("127.0.0.1:0", "tcp://127.0.0.1:*");
  const { address, workers } = server;
  start("workers/examples/chat", "--broker", workers);
  await find(server, /(WORKER-READY)/);

  console.log("two pages see each other");
  const ada = await open(browser, server);
  await shoot(ada, "join");
  await enter(ada, "Ada");
  await people(ada, "Ada");
  const bob = await open(browser, server);
  await enter(bob, "Bob");
  await people(bob, "Ada", "Bob");
  await people(ada, "Ada", "Bob");

  console.log("they talk, and what looks like markup is text");
  await say(ada, "Hello Bob");
  await sees(bob, "Hello Bob");
  await say(bob, "<b id=x>bold</b>");
  await sees(ada, "<b id=x>bold</b>");
  assert.equal(await ada.$("#x"), null);
  await shoot(ada, "chat");

  console.log("what the worker does not understand is said on the page");
  await ada.evaluate(() => send({ action: "sing" }));
  await sees(ada, "Not understood");

  console.log("a taken name is refused, another one is not");
  const other = await open(browser, server);
  await enter(other, "Ada");
  await sees(other, "name may be taken");
  await shoot(other, "refused");
  await enter(other, "2");
  await people(other, "Ada", "Ada2", "Bob");

  console.log("who leaves is seen leaving");
  await other.click("#leave");
  await sees(ada, "Ada2 left");
  await people(bob, "Ada", "Bob");

  console.log("pages come back after the server was stopped and started");
  await stop(server);
  await Promise.all([state(ada, "waiting"), state(bob, "waiting")]);
  await shoot(bob, "waiting");
  server = await serve(address, workers);
  await Promise.all([people(ada, "Ada", "Bob"), people(bob, "Ada", "Bob")]);
  await say(bob, "Back again");
  await sees(ada, "Back again");

  console.log("and after it was killed, when nobody could say goodbye");
  await stop(server, "SIGKILL");
  await Promise.all([state(ada, "waiting"), state(bob, "waiting")]);
  server = await serve(address, workers);
  await Promise.all([people(ada, "Ada", "Bob"), people(bob, "Ada", "Bob")]);

  if (shots) {
    await ada.emulateMediaFeatures([{ name: "prefers-color-scheme", value: "dark" }]);
    await say(ada, "It is dark here");
    await sees(ada, "It is dark here");
    await shoot(ada, "dark");
    await ada.setViewport({ width: 390, height: 700 });
    await shoot(ada, "narrow");
  }
  for (const page of [ada, bob, other]) assert.deepEqual(page.faults, []);
}

const browser = await puppeteer.launch({
  executablePath: process.env.CHROMIUM ?? "/usr/bin/chromium",
  args: ["--no-sandbox", "--disable-dev-shm-usage"],
});
try {
  await story(browser);
  console.log("passed");
} catch (error) {
  for (const child of children) console.error(child.log);
  throw error;
} finally {
  await browser.close();
  for (const child of [...children].reverse()) await stop(child);
}
