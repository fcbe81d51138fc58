import assert from "node:assert/strict";
import test from "node:test";
import { Session } from "../lanyard.js";
import { World } from "./world.js";

const orders = "https://orders.example";
const refused = { status: 401, headers: { "WWW-Authenticate": 'Bearer error="invalid_token"' } };

/** A service that knows which tokens it takes. */
function strictService(w, tab, takes) {
  const calls = [];
  tab.services.set(orders, (call) => {
    calls.push(call);
    return takes(call.headers.authorization?.slice(7), call) ? { body: { ok: true } } : refused;
  });
  return calls;
}

test("a service gets the token and no cookie, and redirects are refused", async () => {
  const w = new World();
  const tab = w.tab();
  const answer = await w.until(tab.session.fetch(orders + "/v1/list?x=1", { headers: { "X-Mine": "1" }, credentials: "include", redirect: "follow", mode: "no-cors" }));
  assert.deepEqual(await answer.json(), { ok: true });
  const { init, headers, url } = tab.sent.at(-1);
  assert.equal(url, orders + "/v1/list?x=1");
  assert.deepEqual([headers.authorization, headers["x-mine"]], ["Bearer t1-orders-s1", "1"]);
  assert.deepEqual([init.credentials, init.redirect, init.mode], ["omit", "error", "cors"]);
});

test("no token and no request goes to an origin that is not listed", async () => {
  const w = new World();
  const tab = w.tab();
  await w.until(tab.session.token("orders"));
  const sent = tab.sent.length;
  for (const url of ["https://evil.example/", "http://orders.example/", "https://orders.example:444/", "https://orders.example.evil.example/", "https://orders.example@evil.example/",
    "//evil.example/x", "https://sub.orders.example/", "data:text/plain,x", "blob:https://orders.example/1", "https://orders.example./", "\\\\evil.example/"]) {
    await assert.rejects(w.until(tab.session.fetch(url)), TypeError, url);
    await assert.rejects(w.until(tab.session.fetch(new URL(url, "https://app.example"))), TypeError, url);
  }
  await assert.rejects(w.until(tab.session.fetch(new Request("https://evil.example/"))), TypeError);
  assert.equal(tab.sent.length, sent);
});

test("services have to be exact origins, over https or on this machine, and the endpoints at home", async () => {
  const { env } = new World().tab();
  for (const origin of ["https://orders.example/", "orders.example", "https://*.example", "http://orders.example", "https://orders.example/v1", "https://ORDERS.example",
    "https://orders.example:443", "ftp://orders.example", "", "null", "https://u@orders.example", "http://127.0.0.1.evil.example"]) {
    assert.throws(() => new Session({ services: { [origin]: "orders" }, env }), TypeError, origin);
  }
  for (const origin of ["https://orders.example:8443", "http://localhost:8080", "http://127.0.0.1:1", "http://[::1]:1", "http://a.localhost"]) {
    new Session({ services: { [origin]: "orders" }, env });
  }
  for (const api of ["https://evil.example/v1/", "//evil.example/", "/v1/?x", "/v1#x"]) assert.throws(() => new Session({ api, env }), TypeError, api);
});

test("a 401 is answered with one new token", async () => {
  const w = new World();
  const tab = w.tab();
  const calls = strictService(w, tab, (token) => token !== "t1-orders-s1");
  const answer = await w.until(tab.session.fetch(orders + "/", { method: "POST", body: "hello" }));
  assert.equal(answer.status, 200);
  assert.deepEqual(calls.map((c) => c.headers.authorization), ["Bearer t1-orders-s1", "Bearer t2-orders-s1"]);
  assert.deepEqual(calls.map((c) => c.init.body), ["hello", "hello"]);
});

test("many 401 at once, in several tabs, draw one new token", async () => {
  const w = new World();
  const tabs = [w.tab(), w.tab(), w.tab()];
  await w.run(1000);
  for (const tab of tabs) strictService(w, tab, (token) => token !== "t1-orders-s1");
  const answers = await w.until(Promise.all(tabs.flatMap((t) => Array.from({ length: 20 }, () => t.session.fetch(orders + "/")))));
  assert.deepEqual([...new Set(answers.map((a) => a.status))], [200]);
  assert.deepEqual([w.server.asked, w.server.most], [2, 1]);
});

test("a refused token is not taken from another tab again", async () => {
  const w = new World();
  const [a, b] = [w.tab(), w.tab()];
  await w.run(1000);
  await w.until(b.session.token("orders"));
  strictService(w, a, (token) => token !== "t1-orders-s1");
  assert.equal((await w.until(a.session.fetch(orders + "/"))).status, 200);
  assert.equal(await w.until(b.session.token("orders")), "t2-orders-s1");
});

test("a late 401 for a token that was replaced meanwhile draws none", async () => {
  const w = new World();
  const tab = w.tab();
  await w.until(tab.session.token("orders"));
  tab.services.set(orders, (call) => (call.headers.authorization.includes("t1") ? { ...refused, delay: 300_000 } : { body: {} }));
  const slow = tab.session.fetch(orders + "/");
  await w.run(280_000);
  await w.until(tab.session.token("orders"));
  assert.equal((await w.until(slow, 600_000)).status, 200);
  assert.equal(w.server.asked, 2);
});

test("a service that refuses every token gets two, then one each, and the server is left alone", async () => {
  const w = new World();
  const tab = w.tab();
  const calls = strictService(w, tab, () => false);
  for (let i = 0; i < 10; i++) assert.equal((await w.until(tab.session.fetch(orders + "/"))).status, 401);
  assert.deepEqual([w.server.asked, calls.length], [2, 11]);
  await w.run(31_000);
  await w.until(tab.session.fetch(orders + "/"));
  assert.equal(w.server.asked, 3);
});

test("a body that can be sent once is not sent twice, and the page is told", async () => {
  const stream = () => new ReadableStream({ start(c) { c.enqueue(new Uint8Array(3)); c.close(); } });
  const once = {
    "a stream": () => [orders + "/", { method: "POST", body: stream(), duplex: "half" }],
    "an iterator": () => [orders + "/", { method: "POST", body: (async function* () { yield "x"; })(), duplex: "half" }],
    "a Request with a body": () => [new Request(orders + "/", { method: "POST", body: "x" })],
  };
  for (const [name, call] of Object.entries(once)) {
    const w = new World();
    const tab = w.tab();
    const calls = strictService(w, tab, (token) => token !== "t1-orders-s1");
    assert.equal((await w.until(tab.session.fetch(...call()))).status, 401, name);
    assert.equal(calls.length, 1, name);
    assert.deepEqual(tab.of("notretried").map((e) => e.url), [orders + "/"], name);
    // The caller may send it again, and the token is a new one.
    assert.equal((await w.until(tab.session.fetch(...call()))).status, 200, name);
  }
});

test("a body that can be sent again is", async () => {
  const again = {
    string: "x", "form data": new FormData(), blob: new Blob(["x"]), bytes: new Uint8Array(2), params: new URLSearchParams("a=b"), buffer: new ArrayBuffer(2), none: undefined,
  };
  for (const [name, body] of Object.entries(again)) {
    const w = new World();
    const tab = w.tab();
    const calls = strictService(w, tab, (token) => token !== "t1-orders-s1");
    assert.equal((await w.until(tab.session.fetch(orders + "/", { method: "POST", body }))).status, 200, name);
    assert.equal(calls.length, 2, name);
    assert.equal(calls[1].init.body, body, name);
  }
  const w = new World();
  const tab = w.tab();
  const calls = strictService(w, tab, (token) => token !== "t1-orders-s1");
  assert.equal((await w.until(tab.session.fetch(new Request(orders + "/", { headers: { "X-Mine": "1" } })))).status, 200);
  assert.deepEqual(calls.map((c) => c.headers["x-mine"]), ["1", "1"]);
});

test("a demand for a better sign-in is an event and not a repetition", async () => {
  const challenges = [
    { status: 401, headers: { "WWW-Authenticate": 'Bearer error="insufficient_user_authentication", max_age="600"' } },
    { status: 401, headers: { "WWW-Authenticate": 'Bearer error="insufficient_user_authentication", acr_values="aal2 aal3"' } },
    { status: 401, body: { error: "insufficient_user_authentication" } }, // the header is not exposed to other origins
  ];
  const want = [{ maxAge: 600, acrValues: undefined }, { maxAge: undefined, acrValues: "aal2 aal3" }, { maxAge: undefined, acrValues: undefined }];
  for (const [i, challenge] of challenges.entries()) {
    const w = new World();
    const tab = w.tab();
    let calls = 0;
    tab.services.set(orders, () => { calls++; return challenge; });
    assert.equal((await w.until(tab.session.fetch(orders + "/pay"))).status, 401);
    assert.deepEqual([calls, w.server.asked], [1, 1]);
    const [{ url, maxAge, acrValues }] = tab.of("stepup");
    assert.deepEqual({ url, maxAge, acrValues }, { url: orders + "/pay", ...want[i] });
    w.server.faults = (call) => (call.path === "/pay" ? challenge : null);
    assert.equal((await w.until(tab.session.fetch("/pay", { method: "POST" }))).status, 401);
    assert.equal(tab.of("stepup").length, 2);
    assert.equal(tab.session.state, "live");
  }
});

test("when drawing asks for a better sign-in the page is told and the session lives on", async () => {
  const w = new World();
  const tab = w.tab();
  w.server.faults = (call) => (call.url.includes("/token")
    ? { status: 401, headers: { "WWW-Authenticate": 'Bearer error="insufficient_user_authentication", max_age="600"' }, body: { error: "insufficient_user_authentication" } } : null);
  await assert.rejects(w.until(tab.session.token("orders")), { code: "insufficient_user_authentication", again: false });
  assert.deepEqual([tab.session.state, tab.of("stepup")[0].maxAge], ["live", 600]);
});

test("other answers and network errors of the application are its own affair", async () => {
  const w = new World();
  const tab = w.tab();
  for (const status of [200, 204, 400, 403, 404, 500, 503]) {
    tab.services.set(orders, () => ({ status }));
    assert.equal((await w.until(tab.session.fetch(orders + "/"))).status, status);
  }
  let calls = 0;
  tab.services.set(orders, () => { calls++; return "lost"; });
  await assert.rejects(w.until(tab.session.fetch(orders + "/")), { network: true });
  assert.equal(calls, 1);
});

test("a caller that gives up waiting for the token is let go at once", async () => {
  const w = new World();
  const tab = w.tab();
  w.latency = 10_000;
  const stop = new AbortController();
  const got = tab.session.fetch(orders + "/", { signal: stop.signal });
  await w.run(100);
  stop.abort(new Error("enough"));
  await assert.rejects(got, /enough/);
  const late = tab.session.fetch(orders + "/", { signal: AbortSignal.abort(new Error("before")) });
  await assert.rejects(w.until(late, 1), /before/);
  await w.run(60_000);
  assert.equal(tab.sent.filter((c) => c.url.startsWith(orders)).length, 0);
});

test("the own origin gets the cookie, the forgery token with unsafe methods alone, and no access token", async () => {
  const w = new World({ strict: true });
  const tab = w.tab();
  for (const method of ["GET", "HEAD"]) {
    await w.until(tab.session.fetch("/cart", { method, credentials: "omit" }));
    const { headers, init } = tab.sent.at(-1);
    assert.deepEqual([headers["x-csrf-token"], headers.authorization, init.mode, init.credentials], [undefined, undefined, "same-origin", "same-origin"]);
  }
  for (const method of ["POST", "put", "DELETE", "patch"]) {
    assert.equal((await w.until(tab.session.fetch("cart", { method }))).status, 200);
    const { headers, init, url } = tab.sent.at(-1);
    assert.deepEqual([headers["x-csrf-token"], headers.authorization, init.mode, url], ["csrf-s1-1", undefined, "same-origin", "https://app.example/cart"]);
  }
  assert.equal(w.server.asked, 0);
});

test("an outdated forgery token is replaced once, unless the body is gone", async () => {
  const w = new World({ strict: true });
  const tab = w.tab();
  await w.run(1000);
  w.server.session.generation++;
  assert.equal((await w.until(tab.session.fetch("/cart", { method: "POST", body: "x" }))).status, 200);
  w.server.session.generation++;
  const stream = new ReadableStream();
  assert.equal((await w.until(tab.session.fetch("/cart", { method: "POST", body: stream, duplex: "half" }))).status, 403);
  assert.equal(tab.of("notretried").length, 1);
  assert.equal((await w.until(tab.session.fetch("/cart", { method: "POST" }))).status, 200);
  let calls = 0;
  w.server.faults = (call) => (call.path === "/cart" && ++calls ? { status: 403, body: { error: "csrf_token" } } : null);
  assert.equal((await w.until(tab.session.fetch("/cart", { method: "POST" }))).status, 403);
  assert.equal(calls, 2);
});

test("a 401 of the own origin shows that the session has ended", async () => {
  const w = new World();
  const tab = w.tab();
  await w.run(1000);
  w.server.end();
  assert.equal((await w.until(tab.session.fetch("/cart"))).status, 401);
  assert.deepEqual(tab.of("signedout").map((e) => e.reason), ["ended"]);
});
