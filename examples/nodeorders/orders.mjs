// A service in another language that takes lanyard's access tokens with a common
// library and nothing of lanyard's:
//
//   lanyard serve --audience orders
//   npm ci && ISSUER=http://localhost:8080 AUDIENCE=orders node orders.mjs
//
// It accepts a token until it expires, whatever has become of its session.
import { createServer } from "node:http";
import { createRemoteJWKSet, errors, jwtVerify } from "jose";

const issuer = process.env.ISSUER ?? "http://localhost:8080";
const audience = process.env.AUDIENCE ?? "orders";

// RFC 8414: the well-known part stands between host and path, and the metadata
// must be the issuer's own.
const { origin, pathname } = new URL(issuer);
const address = `${origin}/.well-known/oauth-authorization-server${pathname.replace(/\/$/, "")}`;
const metadata = await (await fetch(address, { redirect: "error" })).json();
if (metadata.issuer !== issuer) throw new Error(`${address} is not of ${issuer}`);
const keys = createRemoteJWKSet(new URL(metadata.jwks_uri), { cacheMaxAge: 5 * 60_000, cooldownDuration: 5_000 });

// Everything RFC 9068 section 4 asks for has to be said: the library checks what
// it is told to.
async function caller(request) {
  const [scheme, token] = (request.headers.authorization ?? "").split(" ", 2);
  if (scheme.toLowerCase() !== "bearer" || !token) return null;
  const { payload } = await jwtVerify(token, keys, {
    issuer,
    audience,
    typ: "at+jwt",
    algorithms: ["ES256", "Ed25519"],
    requiredClaims: ["exp", "iat", "sub", "client_id", "jti"],
    clockTolerance: 10,
  });
  if (payload.cnf) throw new errors.JWTClaimValidationFailed("bound to a key", payload, "cnf");
  return payload;
}

// What says nothing about the token, only that the issuer does not answer.
const trouble = ["ERR_JWKS_TIMEOUT", "ERR_JWKS_INVALID", "ERR_JOSE_GENERIC"];

function answer(response, status, body, headers = {}) {
  response.writeHead(status, { "Content-Type": "application/json; charset=utf-8", "Cache-Control": "no-store", ...headers });
  response.end(JSON.stringify(body));
}

const server = createServer(async (request, response) => {
  try {
    const claims = await caller(request);
    if (!claims) return answer(response, 401, { error: "unauthorized" }, { "WWW-Authenticate": "Bearer" });
    answer(response, 200, { subject: claims.sub, sid: claims.sid, orders: [] });
  } catch (error) {
    console.error(error.code ?? error.message);
    const refused = error instanceof errors.JOSEError && !trouble.includes(error.code);
    if (!refused) return answer(response, 503, { error: "temporarily_unavailable" }, { "Retry-After": "1" });
    answer(response, 401, { error: "invalid_token" }, { "WWW-Authenticate": 'Bearer error="invalid_token"' });
  }
});
server.listen(Number(process.env.PORT ?? 8082), "127.0.0.1", () => console.log(`ready http://127.0.0.1:${server.address().port}`));
