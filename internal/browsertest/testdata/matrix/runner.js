// The page of an attacker: what the ways of sending a request have in common.
// base, third and beside are the addresses of its own site, of a third one and of
// the sibling.
"use strict";
const sleep = ms => new Promise(done => setTimeout(done, ms));
let hopeless = false; // nothing of this way arrives, so nobody waits for it

// arrived waits until the server has answered a request.
async function arrived(t) {
  if (!hopeless && await (await fetch(base + "/wait?tag=" + t.tag)).text() === "no") hopeless = true;
}

// read is what a page can read of an answer.
async function read(answer) {
  const r = await answer;
  return r.type === "opaque" ? "" : "status " + r.status + " " + (await r.text()).slice(0, 60);
}

function request(t, verb, body, type) {
  return new Promise(done => {
    const x = new XMLHttpRequest();
    x.open(verb, t.url);
    x.withCredentials = true;
    if (type) x.setRequestHeader("Content-Type", type);
    x.onload = () => done("status " + x.status + " " + x.responseText.slice(0, 60));
    x.onerror = () => done("");
    x.send(body || null);
  });
}

function add(name, attributes) {
  const e = document.createElement(name);
  for (const a in attributes) e[a] = attributes[a];
  document.body.append(e);
  return e;
}

const loaded = (name, attributes) => new Promise(done => {
  const e = document.createElement(name);
  e.onload = e.onerror = () => done();
  for (const a in attributes) e[a] = attributes[a];
  document.body.append(e);
});

const source = t => new Promise(done => {
  const s = new EventSource(t.get, {withCredentials: true});
  s.onopen = s.onerror = () => { s.close(); done() };
});

const socket = t => new Promise(done => {
  const s = new WebSocket(t.get.replace("https:", "wss:"));
  s.onopen = s.onerror = () => { s.close(); done() };
});

// frame is the name of the frame that a lane sends its forms into; given
// something to show, it is a new frame with that.
function frame(n, src, srcdoc) {
  const name = "f" + n;
  if (!src && !srcdoc && document.getElementsByName(name).length) return name;
  const f = document.createElement("iframe");
  if (src) f.src = src;
  if (srcdoc) f.srcdoc = srcdoc;
  if (!src && !srcdoc) f.name = name;
  document.body.append(f);
  return f.name || f;
}

const peek = f => { try { return f.contentDocument?.body.innerText ?? "" } catch { return "" } };

// window_ is the name of a window that a lane uses for all its requests.
const windows = {};
function opened(n) {
  if (!windows[n] || windows[n].closed) windows[n] = open("about:blank", "w" + n);
  return windows[n];
}
function window_(n) { opened(n); return "w" + n }

function submit(t, o) {
  const f = document.createElement("form");
  f.method = o.method ?? "post";
  f.action = o.action ?? t.url;
  f.enctype = o.enctype ?? "application/x-www-form-urlencoded";
  f.target = o.target;
  for (const [name, value] of o.pairs ?? t.pairs) {
    const i = document.createElement("input");
    i.type = "hidden";
    i.name = name;
    i.value = value;
    f.append(i);
  }
  document.body.append(f);
  f.submit();
}

// plainTrick makes one field of a text, whose equals sign a lenient reader of
// JSON never sees.
function plainTrick(t) {
  if (!t.text.startsWith("{") || t.text.length < 3) return t.pairs;
  return [[t.text.slice(0, -1) + ',"x":"', '"}']];
}

const escaped = s => s.replaceAll("&", "&amp;").replaceAll('"', "&quot;");
const formText = t => '<form method="post" action="' + escaped(t.url) + '">' +
  t.pairs.map(([k, v]) => '<input name="' + escaped(k) + '" value="' + escaped(v) + '">').join("") + "</form>";
const page = form => form + "<script>document.forms[0].submit()</" + "script>";

function formData(t) {
  const d = new FormData();
  for (const [k, v] of t.pairs) d.append(k, v);
  return d;
}

const bounce = (to, code, by) => by + "/bounce?code=" + code + "&to=" + encodeURIComponent(to);

function speculate(what, t) {
  const s = document.createElement("script");
  s.type = "speculationrules";
  s.textContent = JSON.stringify({[what]: [{source: "list", urls: [t.get], eagerness: "immediate"}]});
  document.body.append(s);
  return s;
}

function inWorker(t) {
  const code = "onmessage = async e => { try { await fetch(e.data.url, {method: 'POST', mode: 'no-cors', credentials: 'include', body: new URLSearchParams(e.data.pairs)}) } catch {} postMessage(0) }";
  const w = new Worker(URL.createObjectURL(new Blob([code], {type: "text/javascript"})));
  return new Promise(done => { w.onmessage = w.onerror = () => { w.terminate(); done() }; w.postMessage({url: t.url, pairs: t.pairs}) });
}

let registration;
async function inServiceWorker(t) {
  registration ??= navigator.serviceWorker.register("/worker.js").then(() => navigator.serviceWorker.ready);
  const worker = (await registration).active, c = new MessageChannel();
  await new Promise(done => { c.port1.onmessage = done; worker.postMessage({url: t.url, pairs: t.pairs}, [c.port2]) });
}

// run sends all requests in one way and returns what it could read.
async function run(name, list, lanes, stopped) {
  hopeless = stopped;
  const way = ways[name], found = [];
  const lane = async n => {
    for (let t; (t = list.shift());) {
      try {
        const got = await way(t, n);
        if (got) found.push(t.tag + ": " + got);
      } catch {}
    }
  };
  await Promise.all(Array.from({length: lanes}, (_, n) => lane(n)));
  if (stopped) await sleep(200);
  for (const e of [...document.body.children]) e.remove();
  return found;
}

// In a frame without an origin the page around it says what to do.
onmessage = async e => {
  if (e.source === parent && e.data.run) parent.postMessage({done: await run(...e.data.run)}, "*");
};
