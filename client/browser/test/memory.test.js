import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import test from "node:test";
import * as module from "../lanyard.js";
import { World } from "./world.js";

const source = await readFile(new URL("../lanyard.js", import.meta.url), "utf8");
const code = source.replace(/\/\*[^]*?\*\/|\/\/.*$/gm, "");

test("the module names no storage, no sink for script or markup, and needs no other file", () => {
  const never = /localStorage|sessionStorage|indexedDB|caches|cookie|serviceWorker|innerHTML|outerHTML|insertAdjacent|document\.write|\beval\b|Function\(|javascript:|createElement|postMessage\(.*\*|\bimport\b(?!\(")|window\.|console\.|history|atob|name\s*=\s*env/i;
  for (const [i, line] of code.split("\n").entries()) assert.doesNotMatch(line, never, `line ${i + 1}`);
  assert.deepEqual(Object.keys(module).sort(), ["Session", "SessionError"]);
});

test("nothing is kept but memory: the whole life of a session touches no storage and no cookie", async () => {
  const w = new World({ strict: true });
  const kept = new Proxy({}, { get(_, name) { throw new Error(`${String(name)} of a storage was read`); }, set() { throw new Error("a storage was written"); } });
  const names = ["localStorage", "sessionStorage", "indexedDB", "caches", "cookieStore"];
  const before = Object.getOwnPropertyNames(globalThis);
  for (const name of names) Object.defineProperty(globalThis, name, { configurable: true, value: kept });
  try {
    const [a, b] = [w.tab(), w.tab()];
    await w.until(a.session.fetch("https://orders.example/"));
    await w.until(b.session.token("orders"));
    await w.until(a.session.fetch("/cart", { method: "POST", body: "x" }));
    a.fire("keydown");
    await w.run(400_000);
    await w.until(b.session.stay());
    await w.until(b.session.signOut());
    await w.run(60_000);
    assert.deepEqual([a.session.state, b.session.state], ["out", "out"]);
  } finally {
    for (const name of names) delete globalThis[name];
  }
  assert.deepEqual(Object.getOwnPropertyNames(globalThis).filter((n) => !before.includes(n)), []);
});

test("no walk over the session object, its events or its errors finds a token", async () => {
  const w = new World();
  const tab = w.tab();
  const token = await w.until(tab.session.token("orders"));
  w.server.faults = (call) => (call.url.includes("/token") ? { status: 400, body: { error: "invalid_target", message: "no" } } : null);
  const error = await w.until(tab.session.token("x")).catch((e) => e);
  const seen = new Set();
  const walk = (value, path) => {
    if (typeof value === "string") assert.ok(!value.includes(token) && !value.includes("csrf-"), path);
    if (value === null || (typeof value !== "object" && typeof value !== "function") || seen.has(value)) return;
    seen.add(value);
    for (const key of Reflect.ownKeys(value)) {
      let member;
      try {
        member = value[key];
      } catch {
        continue;
      }
      walk(member, `${path}.${String(key)}`);
    }
    walk(Object.getPrototypeOf(value), path + ".__proto__");
  };
  walk(tab.session, "session");
  walk(tab.seen, "events");
  walk(error, "error");
  walk(module, "module");
  assert.equal(JSON.stringify(tab.session), "{}");
});

test("a script that replaces fetch after the session was made does not see its calls", async () => {
  const w = new World();
  const tab = w.tab();
  await w.run(100);
  tab.env.fetch = () => assert.fail("the replacement was called");
  await w.until(tab.session.fetch("https://orders.example/"));
});
