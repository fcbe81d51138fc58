// The page calls its own origin with its cookie. It holds no token and asks for
// none.
const list = document.getElementById("orders");
const form = document.getElementById("order");
const said = document.getElementById("said");

async function call(method, body) {
  const answer = await fetch("/api/orders", {
    method,
    headers: body ? { "Content-Type": "application/json" } : {},
    body: body && JSON.stringify(body),
  });
  if (answer.status === 401) {
    said.textContent = "Sign in again to do this.";
  } else if (!answer.ok) {
    said.textContent = "That did not work. Try again.";
  }
  return answer;
}

async function show() {
  const answer = await call("GET");
  if (!answer.ok) {
    return;
  }
  const { orders } = await answer.json();
  list.replaceChildren(...(orders ?? []).map((item) => {
    const line = document.createElement("li");
    line.textContent = item;
    return line;
  }));
}

form?.addEventListener("submit", async (event) => {
  event.preventDefault();
  const item = new FormData(form).get("item");
  if ((await call("POST", { item })).ok) {
    form.reset();
    said.textContent = "";
    await show();
  }
});

if (form) {
  await show();
}
