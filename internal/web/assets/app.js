// What script adds to the pages: show a masked password, a busy state while a form is on its way, copy a
// link, no form sent again by a reload, and no page from memory after the back button. Without it each page works the same, a little plainer.

for (const button of document.querySelectorAll("button[data-reveal]")) {
  const input = document.getElementById(button.dataset.reveal);
  if (!input) continue;
  const what = input.labels[0]?.textContent.toLowerCase() ?? "password";
  const show = (on) => {
    input.type = on ? "text" : "password";
    button.textContent = on ? "Hide" : "Show";
    button.setAttribute("aria-label", (on ? "Hide " : "Show ") + what);
  };
  button.addEventListener("click", () => show(input.type === "password"));
  // Masked again before it is sent: browsers remember what was typed into plain text fields.
  input.form?.addEventListener("submit", () => show(false));
  show(false);
  button.hidden = false;
}

for (const form of document.forms) {
  form.addEventListener("submit", (event) => {
    // A second press while the first is on its way would post a one-time code or a rotation twice.
    if (form.getAttribute("aria-busy") === "true") {
      event.preventDefault();
      return;
    }
    form.setAttribute("aria-busy", "true");
    const button = event.submitter;
    const label = button ? [...button.childNodes] : [];
    button?.setAttribute("aria-disabled", "true");
    if (button?.dataset.busy) button.textContent = button.dataset.busy;
    // The person may have stopped the request; the page then stays, and has to be usable again.
    setTimeout(() => {
      form.removeAttribute("aria-busy");
      button?.removeAttribute("aria-disabled");
      button?.replaceChildren(...label);
    }, 15000);
  });
}

for (const button of document.querySelectorAll("button[data-copy]")) {
  const input = document.getElementById(button.dataset.copy);
  if (!input || !navigator.clipboard) continue;
  button.addEventListener("click", async () => {
    try {
      await navigator.clipboard.writeText(input.value);
      button.textContent = "Copied";
    } catch {
      input.select();
      button.textContent = "Selected";
    }
  });
  button.hidden = false;
}

// A page in answer to a form would send the form again when it is reloaded or come back to. It takes the address
// under which a GET shows it.
const address = document.documentElement.dataset.address;
if (address) history.replaceState(null, "", address);

// The back button may bring back a page of a session that is over, from memory and without asking the server.
window.addEventListener("pageshow", (event) => {
  if (event.persisted) location.reload();
});
