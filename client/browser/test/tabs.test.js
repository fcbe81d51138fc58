import assert from "node:assert/strict";
import test from "node:test";
import { World } from "./world.js";

const drawing = (url) => url.includes("/token");

test("20 tabs over 1000 expiries with a tenth of the answers lost: one request at a time, one answered per expiry, nobody is signed out", async () => {
  const w = new World({ seed: 7 });
  w.server.life = 60;
  w.server.idle = w.server.absolute = 1e12;
  let lost = 0;
  w.server.lose = (url) => drawing(url) && w.random() < 0.1 && ++lost > 0;
  const tabs = Array.from({ length: 20 }, (_, i) => w.tab({}, { hidden: i > 0 }));
  await w.run(1000);
  for (let i = 0; i < 1000; i++) {
    const tokens = await w.until(Promise.all(tabs.map((t) => t.session.token("orders"))));
    assert.equal(new Set(tokens).size, 1);
    await w.run(50_000);
  }
  assert.equal(w.server.most, 1, "token requests in flight at once");
  assert.equal(w.server.drawn - lost, 1000, "answered token requests");
  assert.ok(lost > 50);
  for (const t of tabs) assert.deepEqual([t.session.state, t.of("signedout").length], ["live", 0]);
});

test("tabs that open one after the other get the token of those before", async () => {
  const w = new World();
  for (let i = 0; i < 20; i++) {
    const tab = w.tab();
    await w.until(tab.session.token("orders"));
    await w.run(500);
  }
  assert.equal(w.server.asked, 1);
});

test("without locks or a channel every tab draws for itself, one request at a time", async () => {
  const w = new World({ locks: false, channel: false });
  const tab = w.tab();
  const [a, b, c] = await w.until(Promise.all([tab.session.token("orders"), tab.session.token("orders"), tab.session.token("stock")]));
  assert.equal(a, b);
  assert.notEqual(a, c);
  assert.deepEqual([w.server.asked, w.server.most], [2, 1]);
});

test("without locks but with a channel tabs mostly share: fewer requests than tabs", async () => {
  const w = new World({ locks: false, seed: 3 });
  const tabs = Array.from({ length: 10 }, () => w.tab());
  await w.run(1000);
  await w.until(Promise.all(tabs.map((t) => t.session.token("orders"))));
  assert.ok(w.server.asked < 10, `${w.server.asked} requests`);
});

test("a tab that is closed while it asks leaves its turn to the next", async () => {
  const w = new World();
  const [a, b] = [w.tab(), w.tab()];
  await w.run(1000);
  w.latency = 5000;
  a.session.token("orders").catch(() => {});
  await w.run(500);
  const got = b.session.token("orders");
  await w.run(500);
  assert.equal(b.sent.filter((c) => drawing(c.url)).length, 0);
  a.kill();
  assert.match(await w.until(got), /orders/);
});

test("a tab that hangs in its turn does not stop the others for ever", async () => {
  const w = new World();
  const [a, b] = [w.tab(), w.tab()];
  await w.run(1000);
  a.env.navigator.locks.request("lanyard /v1/", {}, () => new Promise(() => {}));
  await w.run(10);
  assert.match(await w.until(b.session.token("orders")), /orders/);
});

test("a token that another tab tells late is counted from when it was told", async () => {
  const w = new World();
  const [a, b] = [w.tab(), w.tab()];
  await w.run(1000);
  b.freeze();
  await w.until(a.session.token("orders"));
  await w.run(280_000);
  b.thaw();
  await w.run(10);
  assert.equal(await w.until(b.session.token("orders")), "t2-orders-s1");
});

test("a new token is told to the other tabs at once", async () => {
  const w = new World();
  const [a, b] = [w.tab(), w.tab()];
  await w.run(1000);
  await w.until(a.session.token("orders"));
  await w.run(10);
  assert.deepEqual(b.of("refreshed").map((e) => e.resource), ["orders"]);
});

test("a tab that missed what the others said asks them before it asks the server", async () => {
  const w = new World();
  const [a, b] = [w.tab(), w.tab()];
  await w.run(1000);
  b.freeze();
  await w.until(a.session.token("orders"));
  await w.run(1000);
  b.missed = [];
  b.thaw();
  assert.equal(await w.until(b.session.token("orders")), "t1-orders-s1");
  assert.equal(w.server.asked, 1);
});

test("on a machine where messages are late, tabs that waited for their turn still take what another has drawn", async () => {
  const w = new World();
  const tabs = Array.from({ length: 5 }, () => w.tab());
  await w.run(1000);
  w.talk = 400;
  const got = await w.until(Promise.all(tabs.map((t) => t.session.token("orders"))));
  assert.deepEqual([...new Set(got)], ["t1-orders-s1"]);
  assert.equal(w.server.asked, 1);
});

test("who asks at the same time in one tab gets the same answer", async () => {
  const w = new World();
  const tab = w.tab();
  await w.run(1000);
  const looks = w.server.looks;
  await w.until(Promise.all(Array.from({ length: 10 }, () => tab.session.look())));
  assert.equal(w.server.looks - looks, 1);
});

test("what is not ours on the channel is ignored", async () => {
  const w = new World();
  const tab = w.tab();
  await w.run(1000);
  await w.until(tab.session.token("orders"));
  const other = new tab.env.BroadcastChannel("lanyard /v1/");
  const foreign = { v: 1, at: tab.env.Date.now(), token: "x", resource: "orders", of: "s1 9", ms: 1e6 };
  for (const m of [null, 7, "x", {}, { out: "s1" }, { v: 2, at: 0, out: "s1" }, foreign]) other.postMessage(m);
  await w.run(1000);
  assert.equal(tab.session.state, "live");
  assert.equal(await w.until(tab.session.token("orders")), "t1-orders-s1");
  assert.equal(w.server.asked, 1);
});
