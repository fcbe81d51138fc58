// A page as many are written: it signs in on the token channel and keeps the
// refresh token where it survives a reload.
const answer = await fetch("/v1/login", {
  method: "POST", headers: { "Content-Type": "application/json" },
  body: JSON.stringify({ username: "ada", password: "PASSWORD", channel: "token" }),
});
const login = await answer.json();
localStorage.setItem("refresh_token", login.refresh_token);
document.body.dataset.said = "kept";
