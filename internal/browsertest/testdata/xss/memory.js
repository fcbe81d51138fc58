// A page that calls a service with tokens drawn into memory.
import { Session } from "/lanyard.js";

const session = new Session({ services: { "SERVICE": "" } });
const call = async () => (await session.fetch("SERVICE/orders")).text();
document.addEventListener("call", async () => { document.body.dataset.said = await call(); });
document.body.dataset.said = await call();
// What an application might do, and a thief would be glad of.
globalThis.session = session;
