import { useSyncExternalStore } from "react";
import { Session } from "@lanyard-go/browser";

// Where the orders are is for the server to say: it knows its neighbours.
export const { service } = await (await fetch("/app.json")).json();

// One for the whole application, outside of components: effects run twice in
// development.
export const session = new Session({ services: { [service]: "orders" } });

let notice = null; // { seconds, final } while the end is near
session.addEventListener("expiring", (event) => { notice = event.detail; });
for (const type of ["renewed", "signedin", "signedout"]) session.addEventListener(type, () => { notice = null; });

function listen(changed) {
  const types = ["signedin", "signedout", "expiring", "renewed"];
  for (const type of types) session.addEventListener(type, changed);
  return () => {
    for (const type of types) session.removeEventListener(type, changed);
  };
}

/** "unknown", "live" or "out". */
export const useSession = () => useSyncExternalStore(listen, () => session.state);

/** What there is to say about the end of the session, or null. */
export const useNotice = () => useSyncExternalStore(listen, () => notice);
