import assert from "node:assert/strict";
import test from "node:test";
import { World } from "./world.js";

const states = (tabs) => tabs.map((t) => t.session.state).join(" ");

test("signing out reaches every tab at once and forgets the tokens", async () => {
  const w = new World();
  const tabs = [w.tab(), w.tab({}, { hidden: true }), w.tab()];
  await w.run(1000);
  await w.until(Promise.all(tabs.map((t) => t.session.token("orders"))));
  const started = w.time;
  const done = tabs[0].session.signOut();
  await w.run(10);
  assert.equal(states(tabs), "out out out");
  assert.equal(await w.until(done), true);
  assert.deepEqual(tabs.map((t) => t.of("signedout").map((e) => e.reason).join()), ["here", "tab", "tab"]);
  for (const t of tabs) {
    assert.ok(t.of("signedout")[0].at - started < 1000);
    assert.equal(t.session.info, null);
    await assert.rejects(w.until(t.session.token("orders")), { code: "signed_out" });
    await assert.rejects(w.until(t.session.fetch("https://orders.example/")), { code: "signed_out" });
  }
  assert.equal(w.server.logouts, 1);
  assert.equal(tabs[0].sent.at(-1).init.keepalive, true);
});

test("offline all tabs are signed out at once, and the server is told as soon as it can be", async () => {
  const w = new World({ strict: true });
  const tabs = [w.tab(), w.tab(), w.tab({}, { hidden: true })];
  await w.run(1000);
  await w.until(tabs[1].session.token("orders"));
  w.offline = true;
  const done = tabs[0].session.signOut();
  await w.run(10);
  assert.equal(states(tabs), "out out out");
  assert.equal(await w.until(done), false);
  await w.run(600_000);
  w.offline = false;
  for (const t of tabs) t.fire("online");
  await w.run(2000);
  assert.deepEqual([w.server.logouts, w.server.session], [1, null]);
  const sent = tabs.flatMap((t) => t.sent).length;
  await w.run(600_000);
  assert.equal(tabs.flatMap((t) => t.sent).length, sent, "nothing is asked any more");
});

test("without an online event it is repeated all the same", async () => {
  const w = new World();
  const tab = w.tab();
  await w.run(1000);
  w.offline = true;
  await w.until(tab.session.signOut());
  await w.run(100_000);
  w.offline = false;
  await w.run(32_000);
  assert.equal(w.server.logouts, 1);
});

test("a tab that opens after an offline sign-out is signed out too, although the cookie still works", async () => {
  const w = new World();
  const [a] = [w.tab(), w.tab()];
  await w.run(1000);
  w.server.faults = (call) => (call.path === "/v1/logout" ? { status: 503 } : null);
  a.session.signOut();
  await w.run(3000);
  const late = w.tab();
  await w.run(3000);
  assert.equal(late.session.state, "out");
  await assert.rejects(w.until(late.session.token("orders")), { code: "signed_out" });
  await assert.rejects(w.until(late.session.fetch("/cart")), { code: "signed_out" });
  assert.equal(await w.until(late.session.look()), null);
  late.fire("focus");
  await w.run(1000);
  assert.equal(late.session.state, "out");
  assert.equal(w.server.drawn, 0);
  assert.ok(w.server.session, "the server does not know yet");
});

test("another tab goes on telling the server when the first one was closed", async () => {
  const w = new World();
  const [a, b] = [w.tab(), w.tab()];
  await w.run(1000);
  w.offline = true;
  await w.until(a.session.signOut());
  a.kill();
  w.offline = false;
  b.fire("online");
  await w.run(60_000);
  assert.equal(w.server.logouts, 1);
});

test("a page that goes away with the sign-out still untold sends it once more", async () => {
  const w = new World();
  const tab = w.tab();
  await w.run(1000);
  w.offline = true;
  await w.until(tab.session.signOut());
  w.offline = false;
  tab.fire("pagehide");
  tab.kill();
  await w.run(1000);
  assert.equal(w.server.logouts, 1);
  assert.equal(tab.sent.at(-1).init.keepalive, true);
});

test("a sign-out told late does not end the session of who signed in since", async () => {
  const w = new World();
  const tabs = [w.tab(), w.tab()];
  await w.run(1000);
  w.offline = true;
  await w.until(tabs[0].session.signOut());
  w.server.signIn("bob");
  w.offline = false;
  for (const t of tabs) t.fire("online");
  await w.run(60_000);
  assert.equal(w.server.logouts, 0);
  for (const t of tabs) t.fire("focus");
  await w.run(10_000);
  assert.deepEqual(tabs.map((t) => t.session.info?.subject), ["bob", "bob"]);
});

test("an answer that was lost after the server had signed out is found to be done", async () => {
  const w = new World();
  const tab = w.tab();
  await w.run(1000);
  w.server.lose = (url) => url.endsWith("/logout");
  assert.equal(await w.until(tab.session.signOut()), true);
  assert.deepEqual([w.server.logouts, w.server.session], [1, null]);
});

test("an outdated forgery token does not keep a person signed in", async () => {
  const w = new World({ strict: true });
  const tab = w.tab();
  await w.run(1000);
  w.server.session.generation++;
  assert.equal(await w.until(tab.session.signOut()), true);
  assert.equal(w.server.logouts, 1);
});

test("signing out before the first answer works too, and drops what was on its way", async () => {
  const w = new World({ strict: true });
  const tab = w.tab();
  const token = tab.session.token("orders").catch((e) => e);
  await w.run(5);
  assert.equal(await w.until(tab.session.signOut()), true);
  assert.equal((await token).code, "signed_out");
  await w.run(60_000);
  assert.deepEqual([tab.session.state, w.server.drawn, w.server.logouts], ["out", 0, 1]);
});

test("a token that was on its way while another tab signed out is not used", async () => {
  const w = new World();
  const [a, b] = [w.tab(), w.tab()];
  await w.run(1000);
  w.latency = 500;
  const token = a.session.token("orders").catch((e) => e);
  await w.run(700);
  await w.until(b.session.signOut());
  assert.equal((await w.until(token)).code, "signed_out");
  assert.equal(a.of("refreshed").length, 0);
});

test("an end that one tab learns from the server reaches the others", async () => {
  const w = new World();
  const tabs = [w.tab(), w.tab({}, { hidden: true }), w.tab({}, { hidden: true })];
  await w.run(1000);
  w.server.end();
  await w.until(tabs[0].session.look());
  await w.run(500);
  assert.equal(states(tabs), "out out out");
});

test("a page that opens signed out makes the others look", async () => {
  const w = new World();
  const tabs = [w.tab(), w.tab({}, { hidden: true })];
  await w.run(10_000);
  w.server.end();
  w.tab();
  await w.run(500);
  assert.equal(states(tabs), "out out");
});

test("a tab that is late to learn of an old end does not sign the others out of a new session", async () => {
  const w = new World();
  const tabs = [w.tab(), w.tab()];
  await w.run(10_000);
  let slow = true;
  w.server.faults = (call) => (slow && call.path === "/v1/session" ? ((slow = false), { status: 401, delay: 3000 }) : null);
  const looked = tabs[0].session.look();
  await w.run(100);
  w.server.signIn("bob");
  await w.until(tabs[1].session.look());
  await w.until(looked);
  await w.run(1000);
  assert.deepEqual(tabs[1].session.info.subject, "bob");
  assert.equal(tabs[1].of("signedout").length, 0);
});

test("who signs in again in another tab is noticed, by that tab's first look and on focus", async () => {
  const w = new World();
  const tabs = [w.tab(), w.tab()];
  await w.run(1000);
  await w.until(tabs[0].session.signOut());
  w.server.signIn("bob");
  const fresh = w.tab();
  await w.run(1000);
  assert.equal(states([...tabs, fresh]), "live live live");
  assert.equal(tabs[0].of("signedin").at(-1).subject, "bob");
});

test("without a channel the other tabs notice when they are seen again", async () => {
  const w = new World({ channel: false });
  const tabs = [w.tab(), w.tab()];
  await w.run(10_000);
  await w.until(tabs[0].session.signOut());
  tabs[1].show(true);
  await w.run(1000);
  assert.equal(states(tabs), "out out");
});

test("an answer that was on its way when the person signed out signs nobody in", async () => {
  const w = new World();
  const tab = w.tab();
  await w.run(1000);
  const view = { session: { ...w.server.session, idle_expires_at: "", expires_at: "" }, csrf_token: "x" };
  w.server.faults = (call) => (call.path === "/v1/session" ? { body: view, delay: 3000 } : null);
  const looked = tab.session.look();
  await w.run(100);
  assert.equal(await w.until(tab.session.signOut()), true);
  assert.equal(await w.until(looked), null);
  assert.deepEqual([tab.session.state, tab.of("signedin").length], ["out", 1]);
});
