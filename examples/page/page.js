import { Session } from "/lanyard.js";

const { service } = await (await fetch("/app.json")).json();
const session = new Session({ services: { [service]: "orders" } });
const at = (id) => document.getElementById(id);

let latest = 0; // an answer that was overtaken by a later call's is not shown

async function call(init) {
  const mine = ++latest;
  try {
    const answer = await session.fetch(service + "/orders", init);
    if (!answer.ok) throw new Error(`the service answered ${answer.status}`);
    const { orders } = await answer.json();
    if (mine !== latest) return;
    at("orders").replaceChildren(...orders.map((item) => Object.assign(document.createElement("li"), { textContent: item })));
    at("said").textContent = "";
  } catch (error) {
    if (session.state === "live") at("said").textContent = "That did not work: " + error.message;
  }
}

function show() {
  const live = session.state === "live";
  at("who").textContent = live ? "Orders of " + session.info.subject : "You are signed out";
  at("in").hidden = !live;
  at("out").hidden = live;
  at("soon").hidden = true;
  latest++;
  at("orders").replaceChildren(); // nothing of the person before is left on the screen
  if (live) call();
}

session.addEventListener("signedin", show);
session.addEventListener("signedout", show);
session.addEventListener("expiring", ({ detail }) => {
  at("soon").firstElementChild.textContent = `You will be signed out in ${detail.seconds} seconds.`;
  at("stay").hidden = detail.final;
  at("soon").hidden = false;
});
session.addEventListener("renewed", () => { at("soon").hidden = true; });

at("stay").addEventListener("click", () => session.stay().catch(() => {}));
at("leave").addEventListener("click", () => session.signOut());
at("order").addEventListener("submit", (event) => {
  event.preventDefault();
  call({ method: "POST", body: new FormData(event.target).get("item") });
  event.target.reset();
});
