// The one-time code comes after the # of the link, the part that browsers keep to themselves. It is moved into the
// form and taken out of the address, so that it stays neither in the history nor on the screen above.

const field = document.querySelector("input[data-fragment]");

const take = () => {
  const code = location.hash.slice(1);
  if (!field || !code || code === "main") return; // #main is the skip link
  field.value = code;
  history.replaceState(null, "", location.pathname + location.search);
  document.getElementById("new")?.focus();
};

take();
window.addEventListener("hashchange", take);
