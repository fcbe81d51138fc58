import { useCallback, useEffect, useRef, useState } from "react";
import { service, session, useNotice, useSession } from "./session.js";

export function App() {
  const state = useSession();
  if (state === "unknown") return <p>One moment</p>;
  if (state === "out") return <p>You are signed out. <a href="/login">Sign in</a></p>;
  return <Orders />;
}

function Orders() {
  const [orders, setOrders] = useState([]);
  const [said, setSaid] = useState("");
  const notice = useNotice();
  const latest = useRef(0); // an answer that was overtaken by a later call's is not shown

  const call = useCallback(async (init) => {
    const mine = ++latest.current;
    try {
      const answer = await session.fetch(service + "/orders", init);
      if (!answer.ok) throw new Error(`the service answered ${answer.status}`);
      const { orders } = await answer.json();
      if (mine !== latest.current) return;
      setOrders(orders);
      setSaid("");
    } catch (error) {
      if (session.state === "live") setSaid("That did not work: " + error.message);
    }
  }, []);
  useEffect(() => { call(); }, [call]);

  const add = (event) => {
    event.preventDefault();
    call({ method: "POST", body: new FormData(event.target).get("item") });
    event.target.reset();
  };

  return (
    <>
      <h1>Orders of {session.info.subject}</h1>
      <ul>{orders.map((item, i) => <li key={i}>{item}</li>)}</ul>
      <form onSubmit={add}>
        <label>Item <input id="item" name="item" required /></label> <button>Order</button>
      </form>
      <p role="status">{said}</p>
      {notice && (
        <p role="alert">
          You will be signed out in {notice.seconds} seconds.
          {!notice.final && <button onClick={() => session.stay().catch(() => {})}>Stay</button>}
        </p>
      )}
      <button onClick={() => session.signOut()}>Sign out</button>
    </>
  );
}
