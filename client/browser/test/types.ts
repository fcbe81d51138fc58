// Read by the type checker alone: what the types allow, and what they do not.
import { Session, SessionError, type SessionInfo } from "@lanyard-go/browser";

const session = new Session({ services: { "https://orders.example": "orders" }, api: "/auth/", warn: 60 });
session.addEventListener("expiring", (e) => { const left: number = e.detail.seconds; const last: boolean = e.detail.final; return [left, last]; });
session.addEventListener("signedout", (e) => { const why: "here" | "tab" | "ended" = e.detail.reason; return why; }, { once: true });
session.addEventListener("stepup", (e) => { const age: number | undefined = e.detail.maxAge; return age; });
const answer: Promise<Response> = session.fetch(new URL("https://orders.example/"), { method: "POST" });
const token: Promise<string> = session.token();
const info: SessionInfo | null = session.info;
const left: number | null = session.secondsLeft;
const told: Promise<boolean> = session.signOut();
const why = (e: unknown): string => (e instanceof SessionError && e.again ? e.code : "");

// @ts-expect-error: there is no such option
new Session({ origins: [] });
// @ts-expect-error: the state is told, not set
session.state = "live";
// @ts-expect-error: no such event
session.addEventListener("expired", () => {});
// @ts-expect-error: a token is never part of an event
session.addEventListener("refreshed", (e) => e.detail.token);

export { answer, token, info, left, told, why };
