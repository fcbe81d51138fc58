// A page that signs in by itself, on the cookie channel, and keeps nothing.
const answer = await fetch("/v1/login", {
  method: "POST", headers: { "Content-Type": "application/json" },
  body: JSON.stringify({ username: "ada", password: "PASSWORD", channel: "cookie" }),
});
document.body.dataset.said = String(answer.status);
document.addEventListener("call", async () => {
  const session = await fetch("/v1/session");
  document.body.dataset.said = (await session.text()).length + " characters";
});
