import assert from "node:assert/strict";
import test from "node:test";
import { World } from "./world.js";

test("a token that expired while the machine slept is not used", async () => {
  const w = new World();
  const tab = w.tab();
  await w.until(tab.session.token("orders"));
  await w.sleep(290_000);
  assert.equal(await w.until(tab.session.token("orders")), "t2-orders-s1");
});

test("a sleep counts also after the clock was set back", async () => {
  const w = new World();
  const tab = w.tab();
  await w.until(tab.session.token("orders"));
  w.wallOff -= 600_000;
  await w.run(61_000);
  await w.sleep(230_000);
  assert.equal(await w.until(tab.session.token("orders")), "t2-orders-s1");
});

test("many short sleeps count as much as a long one", async () => {
  const w = new World();
  const tab = w.tab();
  await w.until(tab.session.token("orders"));
  for (let i = 0; i < 28; i++) {
    await w.sleep(10_000);
    await w.run(1);
    tab.session.secondsLeft; // whoever reads the clock must not wear it down
  }
  assert.equal(await w.until(tab.session.token("orders")), "t2-orders-s1");
});

test("reading the clock often does not make time go faster", async () => {
  const w = new World();
  const tab = w.tab();
  await w.until(tab.session.token("orders"));
  for (let i = 0; i < 100_000; i++) {
    w.time += 0.008;
    w.wallOff = Math.round(w.time) - w.time; // a wall clock in whole milliseconds
    tab.session.secondsLeft;
  }
  const left = tab.session.secondsLeft;
  assert.ok(left >= 3597, `${left}`);
});

test("a clock ten minutes off, to either side, changes nothing", async () => {
  for (const machine of [-600_000, 600_000]) {
    for (const server of [-600_000, 600_000]) {
      const w = new World();
      w.wallOff = machine;
      w.server.off = server;
      w.server.idle = 1_000_000;
      const tab = w.tab();
      await w.until(tab.session.token("orders"));
      await w.run(260_000);
      await w.until(tab.session.token("orders"));
      assert.equal(w.server.asked, 1, `${machine} ${server}`);
      assert.ok(Math.abs(tab.session.secondsLeft - 740) <= 3, `${tab.session.secondsLeft} s left`);
      await w.run(630_000);
      assert.equal(tab.of("expiring").length, 1);
      assert.ok(Math.abs(tab.of("expiring")[0].at - 880_000) < 5000, `${tab.of("expiring")[0].at}`);
      assert.equal(tab.session.state, "live");
    }
  }
});

test("a clock that is set forward costs at most one more token, and one set back none", async () => {
  for (const [jump, drawn] of [[600_000, 2], [-600_000, 1]]) {
    const w = new World();
    const tabs = [w.tab(), w.tab()];
    await w.run(1000);
    await w.until(Promise.all(tabs.map((t) => t.session.token("orders"))));
    w.wallOff += jump;
    await w.run(1000);
    await w.until(Promise.all(tabs.map((t) => t.session.token("orders"))));
    await w.run(200_000);
    await w.until(Promise.all(tabs.map((t) => t.session.token("orders"))));
    assert.equal(w.server.drawn, drawn, `${jump}`);
    for (const t of tabs) assert.deepEqual([t.session.state, t.of("expiring").length, t.of("signedout").length], ["live", 0, 0]);
  }
});

test("a clock that jumps does not announce an end that is far away", async () => {
  const w = new World();
  w.server.idle = 1_000_000;
  const tab = w.tab();
  await w.run(1000);
  w.wallOff += 960_000;
  await w.run(70_000);
  assert.equal(tab.of("expiring").length, 0);
  assert.ok(Math.abs(tab.session.secondsLeft - 929) < 3, `${tab.session.secondsLeft}`);
});

test("20 tabs that sleep, with the clock set about, stay signed in, and one request is in flight", async () => {
  const w = new World({ seed: 5 });
  w.server.idle = w.server.absolute = 1e12;
  const tabs = Array.from({ length: 20 }, (_, i) => w.tab({}, { hidden: i > 0 }));
  await w.run(1000);
  for (let i = 0; i < 60; i++) {
    await w.until(Promise.all(tabs.map((t) => t.session.token("orders"))));
    if (i % 3 === 0) await w.sleep(w.random() * 7_200_000);
    if (i % 5 === 0) w.wallOff = (w.random() - 0.5) * 1_200_000;
    w.offline = i % 7 === 0;
    await w.run(20_000);
    w.offline = false;
    tabs[0].fire("online");
    await w.run(280_000);
  }
  assert.equal(w.server.most, 1);
  for (const t of tabs) assert.deepEqual([t.session.state, t.of("signedout").length], ["live", 0]);
});

test("after a sleep the session's end is noticed when the page is seen again, or within a minute", async () => {
  const ways = { visible: (t) => t.show(true), focus: (t) => t.fire("focus"), "from memory": (t) => t.fire("pageshow", { persisted: true }), online: (t) => t.fire("online"), nothing: () => {} };
  for (const [name, wake] of Object.entries(ways)) {
    const w = new World();
    const tab = w.tab();
    await w.run(1000);
    await w.sleep(4_000_000);
    wake(tab);
    await w.run(name === "nothing" ? 61_000 : 500);
    assert.deepEqual(tab.of("signedout").map((e) => e.reason), ["ended"], name);
  }
});
