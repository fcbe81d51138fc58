import assert from "node:assert/strict";
import test from "node:test";
import { SessionError } from "../lanyard.js";
import { World } from "./world.js";

const drawing = (call) => call.url.includes("/token");

test("a token is drawn once and kept in memory until shortly before it expires", async () => {
  const w = new World();
  const tab = w.tab();
  const first = await w.until(tab.session.token("orders"));
  assert.equal(first, "t1-orders-s1");
  assert.equal(await w.until(tab.session.token()), first);
  await w.run(265_000);
  assert.equal(await w.until(tab.session.token("orders")), first);
  await w.run(10_000);
  assert.equal(await w.until(tab.session.token("orders")), "t2-orders-s1");
  assert.equal(w.server.asked, 2);
});

test("the request is marked passive, same-origin, without redirects, with the forgery token", async () => {
  const w = new World({ strict: true });
  const tab = w.tab();
  await w.until(tab.session.token("orders"));
  const { method, headers, init, url } = tab.sent.find(drawing);
  assert.deepEqual([method, url, headers["x-csrf-token"]], ["POST", "https://app.example/v1/session/token?passive=1", "csrf-s1-1"]);
  assert.deepEqual([init.mode, init.credentials, init.redirect, init.cache, init.body], ["same-origin", "same-origin", "error", "no-store", '{"resource":"orders"}']);
});

test("the life of a token is counted from when it was asked for", async () => {
  const w = new World();
  w.latency = 7000;
  const tab = w.tab();
  await w.until(tab.session.token("orders"));
  const asked = tab.sent.find(drawing).at;
  await w.run(asked + 269_000 - w.time);
  assert.equal(await w.until(tab.session.token("orders")), "t1-orders-s1");
  await w.run(2_000);
  assert.equal(await w.until(tab.session.token("orders")), "t2-orders-s1");
});

test("a short-lived token is used for four fifths of its life", async () => {
  const w = new World();
  w.server.life = 10;
  const tab = w.tab();
  await w.until(tab.session.token("orders"));
  await w.run(7_500);
  await w.until(tab.session.token("orders"));
  assert.equal(w.server.drawn, 1);
  await w.run(1_000);
  await w.until(tab.session.token("orders"));
  assert.equal(w.server.drawn, 2);
});

test("resources have tokens of their own", async () => {
  const w = new World();
  const tab = w.tab();
  const got = await w.until(Promise.all([tab.session.token("orders"), tab.session.token("stock"), tab.session.token("")]));
  assert.deepEqual(got, ["t1-orders-s1", "t2-stock-s1", "t3--s1"]);
  assert.equal(w.server.most, 1);
  assert.equal(tab.sent.filter(drawing)[2].init.body, "{}");
});

test("a lost answer is asked for again", async () => {
  const w = new World();
  const tab = w.tab();
  await w.run(100);
  let lost = 0;
  w.server.lose = () => ++lost <= 3;
  assert.equal(await w.until(tab.session.token("orders")), "t4-orders-s1");
  assert.equal(w.server.most, 1);
});

test("Retry-After is honoured by every tab, in seconds and as a date, and not by a moment undercut", async () => {
  for (const status of [429, 503]) {
    for (const form of ["seconds", "date"]) {
      const w = new World();
      w.server.off = -600_000;
      const tabs = [w.tab(), w.tab()];
      await w.run(1000);
      let refused = 0;
      w.server.faults = (call) => {
        if (!drawing(call)) return null;
        w.server.faults = () => null;
        refused = w.time;
        const at = form === "seconds" ? "12" : new Date(Math.ceil(w.server.clock() / 1000) * 1000 + 12_000).toUTCString();
        return { status, headers: { "Retry-After": at }, body: { error: "too_many_requests", message: "slowly" } };
      };
      const got = tabs.map((t) => t.session.token("orders"));
      await w.run(11_900);
      assert.equal(w.server.asked, 0, `${status} ${form}`);
      await w.until(Promise.all(got));
      assert.ok(w.time - refused >= 12_000 && w.time - refused < 15_000, `${w.time - refused} ms`);
      assert.equal(w.server.asked, 1);
    }
  }
});

test("who would have to wait for long is told so at once, and nobody asks meanwhile", async () => {
  const w = new World();
  const tab = w.tab();
  await w.run(1000);
  w.server.faults = (call) => (drawing(call) ? { status: 503, headers: { "Retry-After": "300" }, body: { error: "temporarily_unavailable", message: "away" } } : null);
  for (let i = 0; i < 3; i++) {
    const e = await w.until(tab.session.token("orders")).then(assert.fail, (e) => e);
    assert.ok(e instanceof SessionError && e.again && e.retryAfter >= 290, `${e.code} ${e.retryAfter}`);
  }
  assert.equal(tab.sent.filter(drawing).length, 1);
});

test("without Retry-After the waits grow, and have an end", async () => {
  const w = new World();
  const tab = w.tab();
  await w.run(1000);
  w.server.faults = (call) => (drawing(call) ? { status: 502 } : null);
  const e = await w.until(tab.session.token("orders")).then(assert.fail, (e) => e);
  assert.equal(e.code, "unreachable");
  const at = tab.sent.filter(drawing).map((c) => c.at);
  const gaps = at.slice(1).map((t, i) => t - at[i]);
  assert.ok(gaps.length >= 4 && gaps.length <= 9, `${gaps}`);
  assert.ok(gaps.at(-1) > 4 * gaps[0], `${gaps}`);
  assert.ok(at.at(-1) - at[0] < 61_000, `${gaps}`);
});

test("a server that never answers is given up, and the next try gets through", async () => {
  const w = new World();
  const tab = w.tab();
  await w.run(1000);
  w.server.faults = (call) => {
    if (!drawing(call)) return null;
    w.server.faults = () => null;
    return { status: 200, delay: 1e9 };
  };
  assert.equal(await w.until(tab.session.token("orders")), "t1-orders-s1");
});

test("an answer that is no bearer token is discarded", async () => {
  const good = { access_token: "t", token_type: "Bearer", expires_in: 300 };
  for (const body of [{ ...good, token_type: "DPoP" }, { ...good, token_type: undefined }, { ...good, access_token: "" }, { ...good, access_token: 7 },
    { ...good, expires_in: 0 }, { ...good, expires_in: "soon" }, {}, []]) {
    const w = new World();
    const tab = w.tab();
    w.server.faults = (call) => (drawing(call) ? { body } : null);
    const e = await w.until(tab.session.token("orders")).then(assert.fail, (e) => e);
    assert.equal(e.code, "bad_answer", JSON.stringify(body));
    assert.equal(tab.sent.filter(drawing).length, 1);
  }
});

test("a refusal is told by its name and not repeated", async () => {
  const w = new World();
  const tab = w.tab();
  w.server.faults = (call) => (drawing(call) ? { status: 400, body: { error: "invalid_target", message: "no such audience" } } : null);
  const e = await w.until(tab.session.token("other")).then(assert.fail, (e) => e);
  assert.deepEqual([e.code, e.message, e.again], ["invalid_target", "no such audience", false]);
  assert.equal(tab.sent.filter(drawing).length, 1);
});

test("a session that has ended is noticed when a token is drawn, and no token is given any more", async () => {
  const w = new World();
  const tab = w.tab();
  await w.run(1000);
  w.server.end();
  const e = await w.until(tab.session.token("orders")).then(assert.fail, (e) => e);
  assert.equal(e.code, "signed_out");
  assert.deepEqual(tab.of("signedout").map((e) => e.reason), ["ended"]);
  const asked = w.server.asked;
  await assert.rejects(w.until(tab.session.token("orders")), { code: "signed_out" });
  assert.equal(w.server.asked, asked);
});

test("after the password was confirmed in another tab the forgery token is fetched anew, once", async () => {
  const w = new World({ strict: true });
  const tab = w.tab();
  await w.run(1000);
  w.server.session.generation++;
  assert.equal(await w.until(tab.session.token("orders")), "t1-orders-s1");
  assert.equal(tab.sent.filter(drawing).length, 2);

  w.server.faults = (call) => (drawing(call) ? { status: 403, body: { error: "csrf_token", message: "no" } } : null);
  await assert.rejects(w.until(tab.session.token("stock")), { code: "csrf_token" });
  assert.equal(tab.sent.filter(drawing).length, 4);
});

test("tokens of an earlier sign-in are not used after a new one", async () => {
  const w = new World();
  const [a, b] = [w.tab(), w.tab()];
  await w.run(1000);
  await w.until(Promise.all([a.session.token("orders"), b.session.token("orders")]));
  w.server.signIn("bob");
  await w.until(a.session.look());
  await w.run(1000);
  assert.equal(b.session.info.subject, "bob");
  assert.equal(await w.until(b.session.token("orders")), "t2-orders-s2");
  assert.equal(await w.until(a.session.token("orders")), "t2-orders-s2");
});

test("a token that was on its way when the session changed is not used", async () => {
  const w = new World();
  const tab = w.tab();
  await w.run(1000);
  let slow = true;
  w.server.faults = (call) => {
    if (!drawing(call) || !slow) return null;
    slow = false;
    return { body: { access_token: "ann's", token_type: "Bearer", expires_in: 300 }, delay: 2000 };
  };
  const got = tab.session.token("orders");
  await w.run(100);
  w.server.signIn("bob");
  await w.until(tab.session.look());
  assert.equal(await w.until(got), "t1-orders-s2");
});

test("a closed session object gives nothing and asks nothing", async () => {
  const w = new World();
  const tab = w.tab();
  await w.run(1000);
  await w.until(tab.session.token("orders"));
  tab.session.close();
  const sent = tab.sent.length;
  await assert.rejects(w.until(tab.session.token("orders")), { code: "closed" });
  tab.fire("online");
  tab.fire("keydown");
  await w.run(600_000);
  assert.equal(tab.sent.length, sent);
  assert.equal(w.channels.size, 0);
  assert.equal(tab.listeners.length, 0);
});
