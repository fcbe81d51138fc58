// The clocks of the page, which the test moves: both, as time goes by, or the wall
// clock alone, as while a machine sleeps or when somebody sets it.
(() => {
  const now = performance.now.bind(performance), wall = Date.now;
  const { setTimeout, clearTimeout } = window;
  const pending = new Set();
  let ran = 0, off = Number(new URLSearchParams(location.search).get("off"));
  performance.now = () => now() + ran;
  Date.now = () => wall() + off;
  // A page with no timer pending does nothing more by itself.
  window.setTimeout = (run, ms, ...more) => {
    const id = setTimeout(() => { pending.delete(id); run(...more); }, ms);
    pending.add(id);
    return id;
  };
  window.clearTimeout = (id) => { pending.delete(id); clearTimeout(id); };
  window.clock = {
    real: () => performance.timeOrigin + now(),
    move(both, date) { ran += both; off += both + date; },
    pending: () => pending.size,
  };
})();
