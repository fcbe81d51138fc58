import assert from "node:assert/strict";
import test from "node:test";
import { World } from "./world.js";

const looks = (tab) => tab.sent.filter((c) => c.path === "/v1/session");
const minute = 60_000;

test("the first answer says who is signed in", async () => {
  const w = new World();
  const tab = w.tab();
  assert.equal(tab.session.state, "unknown");
  assert.equal(tab.session.secondsLeft, null);
  await w.run(100);
  assert.deepEqual([tab.session.state, tab.session.info.subject, tab.of("signedin").map((e) => e.subject).join()], ["live", "ann", "ann"]);
  const anonymous = new World();
  anonymous.server.end();
  const other = anonymous.tab();
  await anonymous.run(100);
  assert.deepEqual([other.session.state, other.of("signedout").map((e) => e.reason).join()], ["out", "ended"]);
});

test("a visible tab looks once a minute, always passively, and a hidden one not at all", async () => {
  const w = new World();
  const tabs = [w.tab(), w.tab({}, { hidden: true })];
  await w.run(1000);
  const before = tabs.map((t) => looks(t).length);
  await w.run(10 * minute);
  const made = tabs.map((t, i) => looks(t).length - before[i]);
  assert.ok(made[0] >= 9 && made[0] <= 11, `${made}`);
  assert.equal(made[1], 0);
  for (const t of tabs) for (const c of looks(t)) assert.match(c.url, /\?passive=1$/);
});

test("nothing but real input renews the session by itself, at most once a minute", async () => {
  const w = new World();
  const tab = w.tab();
  await w.run(1000);
  const active = () => looks(tab).filter((c) => !c.url.includes("passive")).length;
  tab.fire("keydown", { isTrusted: false });
  await w.run(1000);
  assert.equal(active(), 0, "made by script");
  tab.show(false);
  tab.fire("pointerdown");
  await w.run(1000);
  assert.equal(active(), 0, "in a hidden tab");
  tab.show(true);
  for (let i = 0; i < 180; i++) {
    tab.fire(i % 2 ? "keydown" : "pointerdown");
    await w.run(1000);
  }
  assert.ok(active() >= 3 && active() <= 4, `${active()} in three minutes`);
});

test("an idle page runs out and says so beforehand; nothing it does keeps the session alive", async () => {
  const w = new World();
  w.server.idle = 10 * minute;
  w.server.life = 30;
  const tab = w.tab();
  await w.run(100);
  while (w.time < 9.5 * minute) {
    await w.until(tab.session.token("orders"));
    await w.run(10_000);
  }
  const [soon] = tab.of("expiring");
  assert.ok(Math.abs(soon.seconds - 120) <= 3 && Math.abs(soon.at - 8 * minute) < 3000, JSON.stringify(soon));
  assert.equal(soon.final, false);
  await w.run(minute);
  assert.deepEqual(tab.of("signedout").map((e) => e.reason), ["ended"]);
  assert.equal(tab.of("expiring").length, 1);
});

test("staying renews, takes the notice back in every tab, and the notice comes again later", async () => {
  const w = new World();
  w.server.idle = 10 * minute;
  const tabs = [w.tab(), w.tab({}, { hidden: true })];
  await w.run(8.5 * minute);
  assert.deepEqual(tabs.map((t) => t.of("expiring").length), [1, 1]);
  const info = await w.until(tabs[0].session.stay());
  assert.equal(info.subject, "ann");
  await w.run(1000);
  for (const t of tabs) {
    assert.ok(t.of("renewed").at(-1).seconds > 590);
    assert.ok(t.session.secondsLeft > 590);
  }
  await w.run(8.5 * minute);
  assert.deepEqual(tabs.map((t) => t.of("expiring").length), [2, 2]);
});

test("the absolute limit is announced as final", async () => {
  const w = new World();
  w.server.absolute = 10 * minute;
  const tab = w.tab({ warn: 300 });
  await w.run(6 * minute);
  const [soon] = tab.of("expiring");
  assert.deepEqual([soon.final, Math.abs(soon.seconds - 300) <= 3], [true, true]);
  await w.until(tab.session.stay());
  assert.equal(tab.of("renewed").length, 0);
});

test("the end is announced offline as well, and is the server's to decide", async () => {
  const w = new World();
  w.server.idle = 10 * minute;
  const tab = w.tab();
  await w.run(minute);
  w.offline = true;
  await w.run(11 * minute + 2000);
  assert.equal(tab.of("expiring").length, 1);
  assert.equal(tab.session.state, "live");
  w.offline = false;
  w.server.last = w.time;
  tab.fire("online");
  await w.run(1000);
  assert.equal(tab.of("signedout").length, 0);
  assert.ok(tab.session.secondsLeft > 590);
});

test("an end months away does not overflow a timer", async () => {
  const w = new World();
  w.server.idle = w.server.absolute = 90 * 86_400_000;
  const tab = w.tab({}, { hidden: true });
  const delays = [];
  const set = tab.env.setTimeout;
  tab.env.setTimeout = (run, ms) => { delays.push(ms ?? 0); return set(run, ms); };
  await w.run(10 * minute);
  assert.ok(Math.max(...delays) < 2 ** 31);
  assert.equal(tab.of("expiring").length, 0);
});

test("without the server's Date nothing is guessed about the end", async () => {
  const w = new World();
  w.server.idle = 3 * minute;
  w.server.faults = (call) => (call.path === "/v1/session" && w.server.live
    ? { headers: { Date: "" }, body: { session: { ...w.server.session, idle_expires_at: "2026-01-01T00:00:00Z", expires_at: "2026-01-01T00:00:00Z" }, csrf_token: "x" } } : null);
  const tab = w.tab();
  await w.run(2.5 * minute);
  assert.deepEqual([tab.session.state, tab.session.secondsLeft, tab.of("expiring").length], ["live", null, 0]);
});

test("a look that is refused for now is not repeated before its time, and changes nothing", async () => {
  const w = new World();
  const tab = w.tab();
  await w.run(1000);
  w.server.faults = () => ({ status: 503, headers: { "Retry-After": "200" } });
  await w.run(2 * minute);
  const asked = looks(tab).length;
  tab.fire("focus");
  await w.run(minute);
  assert.equal(looks(tab).length, asked);
  assert.equal(tab.session.state, "live");
});

test("tabs in the background do not all look at once when the end comes near", async () => {
  const w = new World();
  w.server.idle = 10 * minute;
  const tabs = Array.from({ length: 20 }, () => w.tab({}, { hidden: true }));
  await w.run(7 * minute);
  const before = w.server.looks;
  await w.run(2.5 * minute);
  assert.ok(w.server.looks - before <= 6, `${w.server.looks - before} looks`);
  assert.deepEqual([...new Set(tabs.map((t) => t.of("expiring").length))], [1]);
});

test("a hidden tab asks before it raises the alarm: the session may have been renewed where it cannot hear", async () => {
  const w = new World();
  w.server.idle = 10 * minute;
  const tab = w.tab({}, { hidden: true });
  await w.run(5 * minute);
  w.server.last = w.time; // by a page without the module
  await w.run(4 * minute);
  assert.equal(tab.of("expiring").length, 0);
  await w.run(5 * minute);
  assert.equal(tab.of("expiring").length, 1);
});
