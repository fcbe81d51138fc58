/** The module `@lanyard-go/browser`. README.md says what each part does. */

export interface SessionOptions {
  /**
   * The services that get tokens: exact origin (`https://orders.example`) to the
   * audience its tokens are drawn for. Plain http only to this machine.
   * `""` is an audience too: the lanyard server itself.
   */
  services?: Record<string, string>;
  /** Where lanyard's endpoints are on the page's own origin. Default `/v1/`. */
  api?: string;
  /** How many seconds before the end `expiring` is raised. Default 120. */
  warn?: number;
  /** What the module uses of the browser, for tests. Default `globalThis`. */
  env?: unknown;
}

/** The session as `GET /v1/session` tells it; more members than these may be there. */
export interface SessionInfo {
  readonly sid: string;
  readonly subject: string;
  readonly generation: number;
  readonly idle_expires_at: string;
  readonly expires_at: string;
  readonly [member: string]: unknown;
}

export interface SessionEvents {
  /** Somebody is signed in: at the first answer, and when that changes. */
  signedin: CustomEvent<{ subject: string }>;
  /** Nobody is signed in: signed out here, in another tab, or the session has ended. Also at the first answer. */
  signedout: CustomEvent<{ reason: "here" | "tab" | "ended" }>;
  /** The session ends in so many seconds. `final`: staying does not help, only a new sign-in. */
  expiring: CustomEvent<{ seconds: number; final: boolean }>;
  /** The session's limit has moved; a notice about its end can go. */
  renewed: CustomEvent<{ seconds: number }>;
  /** There is a new token for the resource, drawn here or in another tab. */
  refreshed: CustomEvent<{ resource: string }>;
  /** An answer asks for a more recent or stronger sign-in (RFC 9470). Nothing was repeated. */
  stepup: CustomEvent<{ url: string; maxAge?: number; acrValues?: string }>;
  /** A request was refused and could be repeated, but its body was a stream and is gone. */
  notretried: CustomEvent<{ url: string }>;
}

/**
 * One person's session as this page sees it. Listens and looks from the moment it
 * is made. An EventTarget, for the events above alone.
 */
export class Session {
  /** Throws a TypeError for a service that is no exact origin and for an `api` elsewhere. */
  constructor(options?: SessionOptions);
  /** "unknown" until the first answer of the server. */
  readonly state: "unknown" | "live" | "out";
  readonly info: SessionInfo | null;
  /** Until the session ends unless it is renewed; null while not known. */
  readonly secondsLeft: number | null;
  /** Like `fetch`: with a token to the services, with the cookie to the own origin, never elsewhere. */
  fetch(input: RequestInfo | URL, init?: RequestInit): Promise<Response>;
  /** An access token, from memory or drawn. Default: for the first of `services`. Rejects with a SessionError. */
  token(resource?: string): Promise<string>;
  /** Asks the server who is signed in; no activity. */
  look(): Promise<SessionInfo | null>;
  /** The same as activity: the idle limit starts anew. */
  stay(): Promise<SessionInfo | null>;
  /** Signs out in all tabs at once, also offline. Resolves to whether the server knows already; it is told until it does. Never rejects. */
  signOut(): Promise<boolean>;
  /** Stops listening and forgets everything, without signing out. */
  close(): void;

  addEventListener<K extends keyof SessionEvents>(
    type: K, listener: ((event: SessionEvents[K]) => unknown) | null, options?: boolean | AddEventListenerOptions): void;
  removeEventListener<K extends keyof SessionEvents>(
    type: K, listener: ((event: SessionEvents[K]) => unknown) | null, options?: boolean | EventListenerOptions): void;
}

/** Why no token was given. */
export class SessionError extends Error {
  /** `signed_out`, `unreachable`, `bad_answer`, `closed`, or the server's `error`. */
  readonly code: string;
  /** Seconds, if the server asked to wait. */
  readonly retryAfter?: number;
  /** Whether the same call may succeed later. */
  readonly again: boolean;
}
