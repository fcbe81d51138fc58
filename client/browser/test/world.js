// A browser and a server made of plain objects, under a clock that the test
// moves: tabs share locks, channels and the wall clock, as those of one origin do.
import { Session } from "../lanyard.js";

const own = "https://app.example";
const settle = () => new Promise((resolve) => setImmediate(resolve));

export class World {
  constructor({ locks = true, channel = true, strict = false, seed = 1 } = {}) {
    this.time = 0; // ms, of the server and of true time
    this.wallOff = 0; // what this machine's wall clock is ahead by
    this.slept = 0; // ms that performance.now missed
    this.seed = seed;
    this.timers = [];
    this.order = 0;
    this.tabs = [];
    this.held = new Map(); // lock name to waiting grants
    this.channels = new Set();
    this.has = { locks, channel };
    this.server = new Server(this, strict);
    this.offline = false;
    this.latency = 20; // ms each way
    this.talk = 2; // ms that a message from tab to tab takes
  }

  random() {
    this.seed = (this.seed * 1103515245 + 12345) % 2147483648;
    return this.seed / 2147483648;
  }

  at(ms, run) {
    const timer = { when: this.time + Math.max(0, ms), order: this.order++, run };
    this.timers.push(timer);
    return timer;
  }

  /** Runs the next timer that is due by end; false if there is none. */
  async step(end) {
    await settle();
    let next = null;
    for (const t of this.timers) {
      if (t.when <= end && (!next || t.when < next.when || (t.when === next.when && t.order < next.order))) next = t;
    }
    if (!next) return false;
    this.timers.splice(this.timers.indexOf(next), 1);
    this.time = Math.max(this.time, next.when);
    next.run();
    return true;
  }

  /** Lets ms go by, each timer in its turn. */
  async run(ms) {
    const end = this.time + ms;
    while (await this.step(end));
    this.time = end;
  }

  /** Runs until the promise settles; one that does not within limit fails the test. */
  async until(promise, limit = 120_000) {
    let done = false;
    const over = () => { done = true; };
    promise.then(over, over);
    const end = this.time + limit;
    await settle();
    while (!done && (await this.step(end))) await settle();
    if (!done) throw new Error(`nothing came of it in ${limit} ms`);
    return promise;
  }

  /** The lid is closed: true time goes on, no timer runs, performance.now stands still. */
  async sleep(ms) {
    this.time += ms;
    this.slept += ms;
    for (const t of this.timers) t.when += ms;
  }

  /** Answers or refuses one request of a tab, after the way there and back. */
  request(tab, url, init, answer) {
    return new Promise((resolve, reject) => {
      const fail = (why) => reject(Object.assign(new TypeError(why), { network: true }));
      const { signal } = init;
      signal?.addEventListener("abort", () => reject(signal.reason));
      if (this.offline) return this.at(1, () => fail("offline"));
      this.at(this.latency, () => {
        const result = answer();
        if (result === "lost" || this.server.lose(url, result)) {
          return this.at(this.latency, () => { result.done?.(); fail("lost"); });
        }
        const { status = 200, headers = {}, body, delay = 0 } = result;
        this.at(this.latency + delay, () => {
          result.done?.();
          const answered = new Response(body === undefined ? null : JSON.stringify(body), {
            status, headers: { Date: new Date(this.server.clock()).toUTCString(), ...(body && { "Content-Type": "application/json" }), ...headers },
          });
          Object.defineProperty(answered, "url", { value: url });
          resolve(answered);
        });
      });
    });
  }

  tab(options = {}, { hidden = false } = {}) {
    const tab = new Tab(this, hidden);
    this.tabs.push(tab);
    tab.session = new Session({ services: { "https://orders.example": "orders" }, ...options, env: tab.env });
    tab.seen = [];
    for (const type of ["signedout", "signedin", "expiring", "renewed", "refreshed", "stepup", "notretried"]) {
      tab.session.addEventListener(type, (e) => tab.seen.push({ type, at: this.time, ...e.detail }));
    }
    return tab;
  }
}

class Tab {
  constructor(world, hidden) {
    const tab = this;
    this.world = world;
    this.listeners = [];
    this.sent = []; // requests, as fetch was given them
    this.services = new Map([["https://orders.example", () => ({ body: { ok: true } })]]);
    this.document = { visibilityState: hidden ? "hidden" : "visible", baseURI: own + "/page", addEventListener: this.#listen };
    const started = world.time - world.slept;
    const channel = class {
      constructor(name) {
        Object.assign(this, { name, tab });
        world.channels.add(this);
      }
      postMessage(data) {
        const copy = structuredClone(data);
        world.at(world.talk, () => {
          for (const other of world.channels) {
            if (other === this || other.name !== this.name || other.tab.closed) continue;
            if (other.tab.frozen) other.tab.missed.push(() => other.onmessage?.({ data: copy }));
            else other.onmessage?.({ data: copy });
          }
        });
      }
      close() { world.channels.delete(this); }
    };
    const env = {
      location: { origin: own, href: own + "/page" },
      document: this.document,
      addEventListener: this.#listen,
      navigator: world.has.locks ? { locks: { request: this.#lock } } : {},
      performance: { now: () => world.time - world.slept - started },
      Date: { now: () => world.time + 1_700_000_000_000 + world.wallOff },
      Math: { random: () => world.random() },
      setTimeout: (run, ms = 0) => world.at(ms, () => !tab.closed && run()),
      clearTimeout: (timer) => { const i = world.timers.indexOf(timer); if (i >= 0) world.timers.splice(i, 1); },
      fetch: (input, init = {}) => this.#fetch(input, init),
    };
    if (world.has.channel) env.BroadcastChannel = channel;
    // Whatever keeps more than memory is an error at the first touch.
    for (const name of ["localStorage", "sessionStorage", "indexedDB", "caches", "cookieStore"]) {
      Object.defineProperty(env, name, { get() { throw new Error(name + " was touched"); } });
    }
    Object.defineProperty(this.document, "cookie", { get() { throw new Error("cookie was read"); }, set() { throw new Error("cookie was set"); } });
    this.env = env;
  }

  #listen = (type, handle, { signal } = {}) => {
    if (signal?.aborted) return;
    this.listeners.push({ type, handle });
    signal?.addEventListener("abort", () => { this.listeners = this.listeners.filter((l) => l.handle !== handle); });
  };

  fire(type, more = {}) {
    for (const l of this.listeners.filter((l) => l.type === type)) l.handle({ type, isTrusted: true, ...more });
  }

  show(visible) {
    this.document.visibilityState = visible ? "visible" : "hidden";
    this.fire("visibilitychange");
  }

  freeze() { this.frozen = true; this.missed = []; }
  thaw() { this.frozen = false; for (const hear of this.missed.splice(0)) hear(); }

  /** The browser ends the tab: its locks are let go, nothing of it runs on. */
  kill() {
    this.closed = true;
    for (const [name, queue] of this.world.held) {
      const first = queue[0]?.tab === this;
      this.world.held.set(name, queue.filter((q) => q.tab !== this));
      if (first) this.world.held.get(name)[0]?.grant();
    }
  }

  #lock = (name, { signal, ifAvailable }, job) => new Promise((resolve, reject) => {
    const queue = this.world.held.get(name) ?? [];
    if (ifAvailable && queue.length) {
      this.world.at(1, () => resolve(job(null)));
      return;
    }
    this.world.held.set(name, queue);
    const place = { tab: this };
    const leave = () => {
      const now = this.world.held.get(name);
      const i = now.indexOf(place);
      if (i >= 0) now.splice(i, 1);
      if (i === 0) now[0]?.grant();
    };
    place.grant = () => this.world.at(1, async () => {
      if (this.closed) return;
      place.granted = true;
      try {
        resolve(await job({ name }));
      } catch (e) {
        reject(e);
      } finally {
        leave();
      }
    });
    signal?.addEventListener("abort", () => {
      if (place.granted) return;
      leave();
      reject(signal.reason);
    });
    queue.push(place);
    if (queue.length === 1) place.grant();
  });

  #fetch(input, init) {
    const url = new URL(input instanceof Request ? input.url : input);
    const headers = Object.fromEntries(new Headers(init.headers));
    const call = { url: url.href, path: url.pathname, method: init.method ?? input.method ?? "GET", headers, init, at: this.world.time };
    this.sent.push(call);
    const { world } = this;
    if (url.origin !== own) return world.request(this, url.href, init, () => this.services.get(url.origin)(call));
    return world.request(this, url.href, init, () => world.server.answer(call, url));
  }

  of(type) { return this.seen.filter((s) => s.type === type); }
}

class Server {
  constructor(world, strict) {
    Object.assign(this, { world, strict });
    this.off = 0; // what its clock is ahead of true time by
    this.life = 300; // s, of tokens
    this.idle = 3_600_000;
    this.absolute = 86_400_000;
    this.drawn = 0; // token requests that were answered with a token
    this.asked = 0;
    this.flying = 0;
    this.most = 0;
    this.looks = 0;
    this.logouts = 0;
    this.faults = () => null; // (call) => an answer, or null
    this.lose = () => false; // whether an answer is lost on its way
    this.signIn();
  }

  clock() { return 1_700_000_000_000 + this.world.time + this.off; }

  signIn(subject = "ann") {
    this.count = (this.count ?? 0) + 1;
    this.session = { sid: "s" + this.count, subject, generation: 1 };
    this.started = this.world.time;
    this.last = this.world.time;
  }

  end() { this.session = null; }

  get live() {
    return this.session && this.world.time < Math.min(this.last + this.idle, this.started + this.absolute);
  }

  get token() { return `csrf-${this.session.sid}-${this.session.generation}`; }

  answer(call, url) {
    const fault = this.faults(call, url);
    if (fault) return fault;
    const unauthorized = { status: 401, headers: { "WWW-Authenticate": "Bearer" }, body: { error: "unauthorized" } };
    const forged = this.strict && call.method !== "GET" && this.session && call.headers["x-csrf-token"] !== this.token;
    const refused = { status: 403, body: { error: "csrf_token", message: "no forgery token" } };
    switch (url.pathname) {
      case "/v1/session":
        this.looks++;
        if (!this.live) return unauthorized;
        if (url.search !== "?passive=1") this.last = this.world.time;
        return { body: { session: this.#view(), csrf_token: this.token } };
      case "/v1/session/token":
        return this.#draw(call, unauthorized, forged && refused);
      case "/v1/logout":
        if (forged) return refused;
        this.logouts++;
        this.end();
        return { status: 204 };
      default:
        if (!this.live) return unauthorized;
        if (forged) return refused;
        return { body: { path: url.pathname } };
    }
  }

  #view() {
    const time = (ms) => new Date(ms - this.world.time + this.clock()).toISOString();
    const end = this.started + this.absolute;
    return { ...this.session, idle_expires_at: time(Math.min(this.last + this.idle, end)), expires_at: time(end) };
  }

  #draw(call, unauthorized, refused) {
    this.asked++;
    this.flying++;
    this.most = Math.max(this.most, this.flying);
    const done = () => { this.flying--; };
    if (!this.live) return { ...unauthorized, done };
    if (refused) return { ...refused, done };
    this.drawn++;
    const { resource = "" } = JSON.parse(call.init.body);
    return { body: { access_token: `t${this.drawn}-${resource}-${this.session.sid}`, token_type: "Bearer", expires_in: this.life }, done };
  }
}
