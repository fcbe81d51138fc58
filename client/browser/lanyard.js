// Sessions of lanyard in a page: short access tokens drawn from the cookie session, one request for all tabs,
// sign-out that reaches every tab. It keeps nothing but memory. README.md and lanyard.d.ts say what a page can
// rely on; the comments here say why.

const POLL = 60_000; // how often a visible tab looks, and input is reported, at most
const RECENT = 5_000; // an answer of this age is not asked for again
const MARGIN = 30_000; // a token is replaced so long before it expires, or a fifth of its life
const PATIENCE = 15_000; // for one answer of the server
const WAIT = 30_000; // for a token, over all tries, and for another tab's turn
const ASK = 60; // for another tab's answer
const LATE = 1_000; // for one that is sure to come
const JUMP = 1_000; // clocks that part by more have slept or been set
const SAFE = /^(GET|HEAD|OPTIONS)$/;
const LOOPBACK = /^(localhost|.+\.localhost|127(\.\d+){3}|\[::1\])$/;

/** Why no token was given. `code` is the server's word, or "signed_out", "unreachable", "bad_answer", "closed". */
export class SessionError extends Error {
  /** @param {string} code @param {string} message @param {{retryAfter?: number, again?: boolean}} [more] */
  constructor(code, message, { retryAfter, again = false } = {}) {
    super(message);
    this.name = "SessionError";
    this.code = code;
    this.retryAfter = retryAfter; // seconds
    this.again = again; // the same call may succeed later
  }
}

const signedOut = () => new SessionError("signed_out", "nobody is signed in");
const ignore = () => {};

// A clock that only goes forward. performance.now may stand still while the machine sleeps, and Date may be set:
// where they part, the greater difference counts, so that no time that went by is missed.
function stopwatch(env) {
  let extra = 0;
  let lead = env.Date.now() - env.performance.now();
  return () => {
    const mono = env.performance.now();
    const gap = env.Date.now() - mono - lead;
    if (gap > JUMP) extra += gap;
    if (Math.abs(gap) > JUMP) lead += gap;
    return mono + extra;
  };
}

// Settles like promise, unless signal aborts first.
const unless = (signal, promise) => !signal ? promise : new Promise((resolve, reject) => {
  const stop = () => reject(signal.reason);
  if (signal.aborted) stop();
  signal.addEventListener("abort", stop, { once: true });
  promise.then(resolve, reject).finally(() => signal.removeEventListener("abort", stop));
});

// What a 401 that demands a better sign-in asks for (RFC 9470), or null.
async function demanded(answer) {
  if (answer.status !== 401) return null;
  const challenge = answer.headers.get("WWW-Authenticate") ?? "";
  const name = "insufficient_user_authentication";
  if (!challenge.includes(name)) {
    // Another origin's challenge can be read only if it is exposed; its body can.
    if (!/json/.test(answer.headers.get("Content-Type"))) return null;
    const body = await answer.clone().json().catch(ignore);
    if (body?.error !== name) return null;
  }
  const age = /max_age="?(\d+)/.exec(challenge)?.[1];
  return { url: answer.url, maxAge: age && Number(age), acrValues: /acr_values="([^"]*)/.exec(challenge)?.[1] };
}

/** One person's session as this tab sees it. See README.md. */
export class Session extends EventTarget {
  #env; #fetch; #now; #name; #api; #own; #warn;
  #services = new Map(); // origin to resource
  #stubborn = new Map(); // origin to when a new token was refused as well
  #tokens = new Map(); // resource to { value, until }
  #flights = new Map(); // what is being asked, to its promise
  #turn = Promise.resolve(); // where there are no locks: one after the other in this tab
  #channel; #timer; #stop = new AbortController();
  /** @type {any} */
  #info = null; // the server's answer
  #state = "unknown"; #csrf = ""; #idle = 0; #absolute = 0;
  #epoch = 0; // grows when what was asked before is no longer about this session
  #pending = false; // signed out, and the server does not know yet
  #grace = 0; // until then the tab that was signed out of tells it
  #met = false; #peers = true; // other tabs: there may be some until their answer to hello is due
  #looked = -Infinity; #reported = -Infinity; #warned = false;
  #held = 0; #failures = 0; // nobody asks before held
  #soft = true; // and it was not the server that asked for it

  /** @param {any} [options] as lanyard.d.ts says */
  constructor({ services = {}, api = "/v1/", warn = 120, env = globalThis } = {}) {
    super();
    this.#env = env;
    // Taken now: a script that replaces fetch later does not see our calls.
    this.#fetch = env.fetch.bind(env);
    this.#now = stopwatch(env);
    this.#own = env.location.origin;
    const address = new URL(api.endsWith("/") ? api : api + "/", env.location.href);
    if (address.origin !== this.#own || address.search || address.hash) throw new TypeError(`api ${api} is not a path of this origin`);
    this.#api = address.href;
    for (const [origin, resource] of Object.entries(services)) {
      const url = new URL(origin);
      if (url.origin !== origin || origin.includes("*") || !(url.protocol === "https:" || (url.protocol === "http:" && LOOPBACK.test(url.hostname)))) {
        throw new TypeError(`service ${origin} is not an exact https origin`);
      }
      this.#services.set(origin, String(resource));
    }
    this.#warn = warn * 1000;
    this.#name = "lanyard " + address.pathname;

    if (env.BroadcastChannel) {
      this.#channel = new env.BroadcastChannel(this.#name);
      this.#channel.onmessage = (event) => this.#hear(event.data);
    }
    const on = (target, types, handle, options) => {
      for (const type of types) target?.addEventListener?.(type, handle, { ...options, signal: this.#stop.signal });
    };
    on(env, ["pageshow", "focus", "online"], this.#wake);
    on(env.document, ["visibilitychange"], this.#wake);
    on(env, ["pagehide"], () => this.#pending && this.#now() >= this.#grace && this.#tell());
    on(env, ["pointerdown", "keydown"], this.#active, { capture: true, passive: true });
    this.#post({ hello: true });
    this.#sleep(ASK).then(() => { this.#peers = this.#met; });
    this.#timer = env.setTimeout(this.#tick, 0);
  }

  get state() { return this.#state; }
  get info() { return this.#state === "live" ? this.#info : null; }
  get secondsLeft() { return this.#state === "live" && this.#idle ? Math.max(0, Math.floor(this.#left() / 1000)) : null; }

  look() { return this.#ask("look", "session?passive=1"); }
  stay() { return this.#ask("stay", "session"); }

  async token(resource = this.#services.values().next().value ?? "") {
    if (this.#stop.signal.aborted) throw new SessionError("closed", "this session object is closed");
    return this.#fresh(resource) ?? this.#once("token " + resource, () => this.#draw(resource));
  }

  async fetch(input, init = {}) {
    const request = input instanceof Request ? input : null;
    if (this.#pending) throw signedOut(); // the cookie may still work, but the person has left
    const url = new URL(request ? request.url : input, this.#env.document?.baseURI ?? this.#env.location.href);
    const method = (init.method ?? request?.method ?? "GET").toUpperCase();
    const signal = init.signal ?? request?.signal;
    const headers = new Headers(init.headers ?? request?.headers);
    const body = init.body ?? (SAFE.test(method) ? null : request?.body);
    // A stream is gone once it was sent, and so is the body of a Request.
    const replay = init.body ? !body.getReader && !body[Symbol.asyncIterator] : !request || body === null;
    const send = (more) => this.#fetch(request ?? url.href, { ...init, headers, ...more });
    // A blob: URL has the origin of its maker, and leads nowhere.
    const origin = /^https?:$/.test(url.protocol) && url.origin;
    const resource = this.#services.get(origin);
    if (resource !== undefined) return this.#fetchService(url, resource, headers, signal, replay, send);
    if (origin !== this.#own) throw new TypeError(`${url.protocol}//${url.host} is neither this origin nor one of the services`);
    return this.#fetchOwn(url, !SAFE.test(method), headers, signal, replay, send);
  }

  async #fetchService(url, resource, headers, signal, replay, send) {
    for (let again = false; ; again = true) {
      const token = await unless(signal, this.token(resource));
      headers.set("Authorization", "Bearer " + token);
      const answer = await send({ mode: "cors", credentials: "omit", redirect: "error" });
      if (answer.status !== 401 || (await this.#steppedUp(answer))) return answer;
      if (again) this.#stubborn.set(url.origin, this.#now() + WAIT); // it is not the token: no storm
      if (again || this.#stubborn.get(url.origin) > this.#now()) return answer;
      this.#drop(resource, token);
      if (!replay) return this.#emit("notretried", { url: url.href }, answer);
      const next = await unless(signal, this.token(resource)).catch(ignore);
      if (!next || next === token) return answer;
      answer.body?.cancel().catch(ignore);
    }
  }

  async #fetchOwn(url, unsafe, headers, signal, replay, send) {
    for (let again = false; ; again = true) {
      if (unsafe) {
        if (!this.#csrf || again) await unless(signal, this.look());
        if (this.#csrf) headers.set("X-CSRF-Token", this.#csrf);
      }
      // mode same-origin: the browser refuses to follow a redirect elsewhere.
      const answer = await send({ mode: "same-origin", credentials: "same-origin" });
      if (answer.status === 401 && !(await this.#steppedUp(answer))) await this.look().catch(ignore);
      if (answer.status !== 403 || !unsafe || again) return answer;
      const problem = await answer.clone().json().catch(ignore);
      if (problem?.error !== "csrf_token") return answer;
      this.#csrf = ""; // the session was confirmed or replaced elsewhere: the next call asks anew
      if (!replay) return this.#emit("notretried", { url: url.href }, answer);
    }
  }

  async signOut() {
    this.#pending = true;
    this.#grace = 0;
    this.#leave("here");
    return (await this.#tell()) || this.#repeat();
  }

  close() {
    this.#stop.abort();
    this.#epoch++;
    this.#env.clearTimeout(this.#timer);
    this.#channel?.close();
    this.#channel = undefined;
    this.#tokens.clear();
    this.#forget();
  }

  // --- asking the server ---

  // One call to lanyard's own addresses, body and all.
  async #call(path, method = "GET", body, keepalive = false) {
    const { setTimeout, clearTimeout } = this.#env;
    const stop = new AbortController();
    const timer = setTimeout(() => stop.abort(), PATIENCE);
    const headers = body ? { "Content-Type": "application/json" } : {};
    if (method !== "GET" && this.#csrf) headers["X-CSRF-Token"] = this.#csrf;
    let answer, data;
    try {
      answer = await this.#fetch(this.#api + path, {
        method, headers, keepalive, body, signal: stop.signal,
        mode: "same-origin", credentials: "same-origin", redirect: "error", cache: "no-store",
      });
      const text = await answer.text();
      data = text && /json/.test(answer.headers.get("Content-Type")) ? JSON.parse(text) : {};
    } catch {
      throw this.#hold("unreachable", "the server cannot be reached");
    } finally {
      clearTimeout(timer);
    }
    if (answer.status === 429 || answer.status >= 500) {
      const said = answer.headers.get("Retry-After");
      const seconds = said && (Number(said) || (Date.parse(said) - Date.parse(answer.headers.get("Date"))) / 1000);
      throw this.#hold(data.error ?? "unreachable", data.message ?? "the server cannot answer now", seconds > 0 ? seconds : undefined);
    }
    this.#failures = 0;
    if (answer.status >= 400 && answer.status !== 401) throw new SessionError(data.error ?? "refused", data.message ?? "refused");
    return { status: answer.status, headers: answer.headers, data };
  }

  // Holds all tabs back for a while, and says so. Never earlier than the server asked.
  #hold(code, message, retryAfter) {
    const random = this.#env.Math.random();
    const wait = retryAfter ? (retryAfter + random) * 1000 : Math.min(WAIT, 500 * 2 ** this.#failures) * (0.5 + random / 2);
    this.#failures++;
    this.#soft = !retryAfter;
    this.#held = Math.max(this.#held, this.#now() + wait);
    this.#post({ hold: wait });
    return new SessionError(code, message, { retryAfter, again: true });
  }

  #ask(kind, path) {
    return this.#once(kind, async () => {
      const epoch = this.#epoch;
      const sent = this.#now();
      const { status, headers, data } = await this.#call(path);
      if (epoch !== this.#epoch) return this.info;
      this.#looked = sent;
      if (status === 401) this.#leave("ended");
      else if (!data.session?.sid) throw new SessionError("bad_answer", "the answer is no session");
      else this.#learn(data.session, data.csrf_token, sent, Date.parse(headers.get("Date")));
      return this.info;
    });
  }

  async #draw(resource) {
    const end = this.#now() + WAIT;
    for (let renewed = false; ; ) {
      const wait = this.#held - this.#now();
      if (this.#held > end) throw new SessionError("unreachable", "no token for now", { retryAfter: Math.ceil(wait / 1000), again: true });
      if (wait > 0) await this.#sleep(wait);
      try {
        const token = await this.#alone("", (waited) => this.#drawNow(resource, waited));
        if (token) return token;
      } catch (e) {
        if (e.code === "csrf_token" && !renewed) {
          renewed = true;
          this.#csrf = ""; // the session was confirmed or replaced in another tab
        } else if (!e.again) throw e;
      }
    }
  }

  // Runs while no other tab does: the token, or nothing if there is a reason to wait again.
  async #drawNow(resource, waited) {
    if (this.#peers && !this.#fresh(resource) && this.#held <= this.#now()) {
      // The tab before us may have told us already; its message may be on the way. If there was one for sure,
      // it is worth more patience: on a busy machine messages are late.
      const heard = new Promise((resolve) => this.addEventListener("refreshed", resolve, { once: true }));
      this.#post({ ask: resource });
      await Promise.race([heard, this.#sleep(waited ? LATE : ASK)]);
    }
    const token = this.#fresh(resource);
    if (token || this.#held > this.#now()) return token;
    if (this.#state !== "out" && !this.#csrf) await this.look();
    if (this.#state === "out" || this.#stop.signal.aborted) throw signedOut();
    const epoch = this.#epoch;
    const sent = this.#now();
    const { status, headers, data } = await this.#call("session/token?passive=1", "POST", JSON.stringify(resource ? { resource } : {}));
    if (epoch !== this.#epoch) return undefined;
    if (status === 401) {
      const answer = new Response(JSON.stringify(data), { status, headers });
      if (await this.#steppedUp(answer)) throw new SessionError(data.error, "a better sign-in is asked for");
      this.#leave("ended");
      throw signedOut();
    }
    const { access_token: value, token_type: type, expires_in: seconds } = data;
    if (typeof value !== "string" || !value || !/^bearer$/i.test(type) || !(seconds > 0)) {
      throw new SessionError("bad_answer", "the answer is no bearer token");
    }
    // Counted from when it was asked for: the answer's way can only shorten it.
    this.#adopt(resource, value, sent + seconds * 1000 - Math.min(MARGIN, seconds * 200));
    this.#offer(resource);
    return value;
  }

  // Runs job while no other tab runs one, and tells it whether it had to wait. A tab that hangs does not stop
  // the others for ever.
  async #alone(suffix, job) {
    const { navigator, setTimeout, clearTimeout } = this.#env;
    const locks = navigator?.locks;
    if (!locks) {
      const before = this.#turn;
      return (this.#turn = before.catch(ignore).then(() => this.#sleep(this.#env.Math.random() * 200)).then(job));
    }
    const stop = new AbortController();
    const timer = setTimeout(() => stop.abort(), WAIT);
    let mine = false;
    const name = this.#name + suffix;
    const run = (waited) => { mine = true; return job(waited); };
    try {
      const result = await locks.request(name, { ifAvailable: true }, (lock) => lock && run(false));
      return mine ? result : await locks.request(name, { signal: stop.signal }, () => run(true));
    } catch (e) {
      if (mine) throw e;
      return job(true);
    } finally {
      clearTimeout(timer);
    }
  }

  // One call at a time of a kind: who asks meanwhile gets the same answer.
  #once(kind, job) {
    let flight = this.#flights.get(kind);
    if (!flight) {
      flight = job().finally(() => this.#flights.delete(kind));
      this.#flights.set(kind, flight);
    }
    return flight;
  }

  // --- what is known ---

  #fresh(resource) {
    const token = this.#tokens.get(resource);
    return token?.until > this.#now() && (!this.#of || token.of === this.#of) ? token.value : undefined;
  }

  #adopt(resource, value, until, of = this.#of) {
    const mine = this.#tokens.get(resource);
    if (mine?.value === value || until <= this.#now() || (this.#of && of !== this.#of)) return;
    this.#tokens.set(resource, { value, until, of });
    this.#emit("refreshed", { resource });
  }

  #drop(resource, value, tell = true) {
    if (this.#tokens.get(resource)?.value !== value) return;
    this.#tokens.delete(resource);
    if (tell) this.#post({ drop: value, resource });
  }

  // Which session it is: another one, or the same after a new sign-in, has other tokens.
  get #of() { return this.#info ? `${this.#info.sid} ${this.#info.generation}` : ""; }

  #learn(session, csrf, sent, date) {
    if (this.#pending) {
      // The cookie still works, for a person who has left. Who signed in since has another session.
      if (!this.#info || this.#info.sid === session.sid) return;
      this.#settled();
    }
    // Both times are the server's, so its clock may be wrong and ours as well.
    const limit = (time) => sent + Date.parse(time) - date || 0;
    this.#know(session, csrf, limit(session.idle_expires_at), limit(session.expires_at));
    this.#share();
  }

  #know(session, csrf, idle, absolute) {
    const sid = this.#info?.sid;
    const before = this.#of;
    const left = this.#idle && this.#left();
    const was = this.#state;
    this.#info = session;
    this.#csrf = csrf ?? "";
    this.#idle = idle;
    this.#absolute = absolute;
    this.#state = "live";
    if (before && before !== this.#of) this.#epoch++; // tokens on their way are the old session's
    const later = this.#left() - left > 2 * JUMP;
    if (later || this.#left() > this.#warn) this.#warned = false;
    if (was !== "live" || sid !== session.sid) this.#emit("signedin", { subject: session.subject });
    else if (left && later) this.#emit("renewed", { seconds: this.secondsLeft });
    this.#plan();
  }

  #forget() {
    this.#info = null;
    this.#csrf = "";
    this.#idle = 0;
  }

  #leave(reason, tell = true) {
    const sid = this.#info?.sid ?? "";
    this.#epoch++;
    this.#tokens.clear();
    if (!this.#pending) this.#forget();
    if (this.#state === "out") return;
    this.#state = "out";
    this.#idle = 0;
    if (tell) this.#post({ out: sid, pending: this.#pending });
    this.#emit("signedout", { reason });
    this.#plan();
  }

  async #steppedUp(answer) {
    const detail = await demanded(answer);
    return detail && this.#emit("stepup", detail, true);
  }

  #emit(type, detail, result) {
    this.dispatchEvent(new CustomEvent(type, { detail }));
    return result;
  }

  // --- signing out ---

  // Tells the server, also from a page that goes away. Whether it knows now.
  #tell() {
    return this.#once("tell", () => this.#call("logout", "POST", undefined, true).then(() => this.#settled(), () => false));
  }

  // Tells it again, in one tab, and only of the session that was signed out of.
  #repeat() {
    return this.#once("repeat", () => this.#alone(" out", async () => {
      if (!this.#pending || this.#now() < this.#grace) return !this.#pending;
      const { status, data } = await this.#call("session?passive=1");
      if (status === 401 || (this.#info && data.session?.sid !== this.#info.sid)) return this.#settled();
      this.#csrf = data.csrf_token ?? "";
      return this.#tell();
    }).catch(() => false).finally(() => this.#plan()));
  }

  #settled(tell = true) {
    if (this.#pending) {
      this.#pending = false;
      this.#forget();
      if (tell) this.#post({ settled: true });
    }
    return true;
  }

  // --- the other tabs ---

  #sleep(ms) { return new Promise((resolve) => this.#env.setTimeout(resolve, ms)); }
  #left() { return Math.min(this.#idle, this.#absolute) - this.#now(); }
  #post(message) { this.#channel?.postMessage({ v: 1, at: this.#env.Date.now(), ...message }); }

  #offer(resource) {
    const token = this.#tokens.get(resource);
    if (this.#fresh(resource)) this.#post({ token: token.value, resource, of: token.of, ms: token.until - this.#now() });
  }

  #share() {
    const now = this.#now();
    this.#post({ session: this.#info, csrf: this.#csrf, idle: this.#idle && this.#idle - now, absolute: this.#idle && this.#absolute - now });
  }

  #hear(m) {
    if (m?.v !== 1 || this.#stop.signal.aborted) return;
    this.#met = this.#peers = true;
    // A tab that was frozen hears late. Date is all that tabs share.
    const then = this.#now() - Math.max(0, this.#env.Date.now() - m.at);
    const same = this.#info && (m.session?.sid ?? m.out) === this.#info.sid;
    if (m.hello) {
      this.#post({ here: true });
      if (this.#pending) this.#post({ out: this.#info?.sid ?? "", pending: true });
      for (const resource of this.#tokens.keys()) this.#offer(resource);
    } else if (m.ask !== undefined) {
      this.#offer(m.ask);
    } else if (m.token) {
      if (this.#state !== "out") this.#adopt(m.resource, m.token, then + m.ms, m.of);
    } else if (m.drop) {
      this.#drop(m.resource, m.drop, false);
    } else if (m.hold) {
      this.#held = Math.max(this.#held, then + m.hold);
    } else if (m.session) {
      // Another session than ours: the server says which one it is now.
      if (!same && this.#state !== "unknown") this.#check();
      if (!same || this.#state !== "live") return;
      this.#looked = Math.max(this.#looked, then);
      this.#know(m.session, m.csrf, m.idle && then + m.idle, m.idle && then + m.absolute);
    } else if (m.out !== undefined) {
      if (this.#state === "out") return;
      if (!same && !(m.pending && (!m.out || !this.#info))) return this.#check();
      this.#pending = m.pending;
      this.#grace = this.#now() + RECENT;
      if (m.pending && m.out) this.#info ??= { sid: m.out };
      this.#leave("tab", false);
    } else if (m.settled) {
      this.#settled(false);
    }
  }

  // --- time and the person ---

  get #visible() { return this.#env.document?.visibilityState !== "hidden"; }
  // Looks without anybody waiting for it.
  #check() { return this.#held > this.#now() ? Promise.resolve() : this.look().catch(ignore); }

  #plan() {
    this.#env.clearTimeout(this.#timer);
    if (this.#stop.signal.aborted || (this.#state === "out" && !this.#pending)) return;
    let wait = POLL;
    if (this.#pending) {
      wait = Math.max(this.#held - this.#now(), this.#grace - this.#now(), JUMP);
    } else if (this.#state === "live" && this.#idle) {
      const left = this.#left();
      wait = Math.min(wait, this.#warned ? Math.max(left, RECENT) : Math.max(left - this.#warn, 0));
      // Tabs in the background look one after the other; the first one tells the rest.
      if (!this.#visible) wait += this.#env.Math.random() * 2000;
    }
    this.#timer = this.#env.setTimeout(this.#tick, wait);
  }

  #tick = () => {
    const age = this.#now() - this.#looked;
    const left = this.#state === "live" && this.#idle ? this.#left() : Infinity;
    const warn = left <= this.#warn && !this.#warned;
    if (warn) this.#warned = true; // our clock may be wrong: the server's answer may take this back
    const due = this.#state === "unknown" || (this.#visible && age >= POLL - JUMP) || ((warn || left <= 0) && age >= RECENT);
    const asked = this.#pending ? this.#repeat() : due ? this.#check() : Promise.resolve();
    if (warn) {
      asked.then(() => {
        if (!this.#warned || this.#state !== "live") return;
        this.#emit("expiring", { seconds: this.secondsLeft, final: this.#absolute <= this.#idle });
      });
    }
    this.#plan();
  };

  #wake = (event) => {
    if (event.type === "online") {
      this.#failures = 0;
      if (this.#soft) this.#held = 0;
    } else if (!this.#visible) {
      return;
    }
    if (this.#pending) this.#repeat();
    else if (this.#now() - this.#looked >= RECENT) this.#check();
    this.#plan();
  };

  #active = (event) => {
    if (!event.isTrusted || !this.#visible || this.#state !== "live" || this.#now() - this.#reported < POLL) return;
    this.#reported = this.#now();
    this.stay().catch(ignore);
  };
}
