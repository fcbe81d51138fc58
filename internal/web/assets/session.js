// What a page does while it is on the screen and its session comes to an end: says so in time, with a way to stay, and
// puts itself away once nobody is signed in any more, here or in another tab. Without script the next click finds out.

import { Session } from "./lanyard.js";

const bar = document.getElementById("session");
const here = location.pathname + location.search;
const session = new Session({ warn: Number(bar?.dataset.warn ?? 0) });

const left = (seconds) => {
  if (seconds < 60) return "less than a minute";
  const minutes = Math.round(seconds / 60);
  return minutes === 1 ? "1 minute" : minutes + " minutes";
};

let timer;

const quiet = () => {
  clearInterval(timer);
  bar.replaceChildren();
};

// The idle limit never lies behind the absolute one: where both are the same instant, staying does not help.
const last = ({ idle_expires_at: idle, expires_at: absolute }) => Date.parse(idle) >= Date.parse(absolute);

const say = () => {
  quiet();
  const final = last(session.info);
  bar.replaceChildren(document.getElementById(final ? "session-last" : "session-idle").content.cloneNode(true));
  const time = bar.querySelector("[data-left]");
  // Said aloud when it appears and once more in the last minute, not at every minute between.
  const tick = () => {
    const text = left(session.secondsLeft ?? 0);
    if (text === time.textContent) return;
    time.textContent = text;
    if (session.secondsLeft < 60) bar.append(...bar.childNodes);
  };
  tick();
  timer = setInterval(tick, 1000);
  if (final) bar.querySelector("a").href += "&return_to=" + encodeURIComponent(here);
  else bar.querySelector("button").addEventListener("click", stay);
};

const stay = async (event) => {
  const button = event.currentTarget;
  button.setAttribute("aria-disabled", "true");
  try {
    await session.stay();
    if (session.secondsLeft > Number(bar.dataset.warn)) quiet();
    else say();
  } catch {
    button.removeAttribute("aria-disabled");
    button.textContent = "No answer. Try again";
  }
};

if (bar) {
  session.addEventListener("expiring", say);
  session.addEventListener("renewed", quiet);
  session.addEventListener("signedin", ({ detail }) => {
    if (detail.subject !== bar.dataset.subject) location.reload();
  });
  session.addEventListener("signedout", () => {
    // A form on its way gets an answer that says what was not done.
    if (!document.querySelector("form[aria-busy=true]")) location.replace("/signed-out?ended=1&return_to=" + encodeURIComponent(here));
  });
} else {
  // The page after signing out. By asking who is signed in it lets the other tabs know that nobody is, and it goes on
  // where it was if somebody signs in again in one of them.
  session.addEventListener("signedin", () => {
    location.replace(document.querySelector("[data-onward]")?.dataset.onward ?? "/account");
  });
}
