import { Session } from "/lanyard.js";

const { service } = document.documentElement.dataset;
const session = new Session({ services: { [service]: "orders" } });
const seen = [];
for (const type of ["signedin", "signedout", "refreshed"]) {
  session.addEventListener(type, (e) => seen.push({ type, at: clock.real(), ...e.detail }));
}

const orders = () => session.fetch(service + "/orders").then((r) => r.status, (e) => e.code ?? String(e));

// The tabs do what one of them says, all of them at once, and tell it when they are done.
const stage = new BroadcastChannel("stage");
const act = { move: ({ both, date }) => clock.move(both, date), call: orders };
let done = [], count = 0, frozen = 0;
document.addEventListener("freeze", () => stage.postMessage({ frozen: true }));
stage.onmessage = async ({ data: m }) => {
  if (m.frozen) {
    frozen++;
    return;
  }
  if (m.answer !== undefined) {
    if (m.id === count) done.push(m.answer);
    return;
  }
  stage.postMessage({ id: m.id, answer: (await act[m.act](m)) ?? null });
};

async function all(tabs, m) {
  const id = ++count;
  done = [];
  stage.postMessage({ ...m, id });
  const mine = (await act[m.act](m)) ?? null;
  while (done.length < tabs - 1) await new Promise((resolve) => stage.addEventListener("message", resolve, { once: true }));
  return [mine, ...done];
}

window.tab = {
  session, seen, orders, service,
  heard: () => done.length,
  frozen: () => frozen,
  // Time goes by, everywhere; then every tab calls the service. What the tabs got.
  async round(tabs, seconds, asleep) {
    await fetch("/app/pass?seconds=" + seconds, { method: "POST" });
    const ms = seconds * 1000;
    await all(tabs, { act: "move", both: asleep ? 0 : ms, date: asleep ? ms : 0 });
    return all(tabs, { act: "call" });
  },
  // Somebody sets the clock of the machine.
  setClock: (tabs, ms) => all(tabs, { act: "move", both: 0, date: ms }),
};
