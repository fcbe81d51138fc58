package server

import (
	"context"
	"net/http"
	"strings"

	"github.com/lanyard-go/lanyard"
	"github.com/lanyard-go/lanyard/internal/web"
)

// endpoint is one line of the table of routes.
type endpoint struct {
	pattern string
	handle  http.HandlerFunc
	who     access
}

// access says who may call an endpoint, so that the answer stands in one place
// for every route.
type access uint8

const (
	open      access = iota // anybody
	signedIn                // a live session
	recent                  // a live session with recent authentication
	admin                   // an administrator with recent authentication, or a program with the right to administer
	backend                 // admin, or a program that may create sessions
	adminPage               // an administrator; actions ask for recent authentication themselves
	ownLogin                // judged by the handler itself, outside of the session middleware
)

func (s *Server) publicEndpoints() []endpoint {
	return []endpoint{
		{"POST /v1/login", s.login, open},
		{"GET /v1/session", s.getSession, signedIn},
		{"GET /v1/sessions", s.listOwn, signedIn},
		{"DELETE /v1/sessions/{sid}", s.endOwn, recent},
		{"POST /v1/sessions/revoke", s.revokeOwn, recent},
		{"POST /v1/logout", s.logout, ownLogin},
		{"POST /v1/elevate", s.elevate, signedIn},
		{"POST /v1/session/token", s.drawToken, signedIn},
		{"POST /v1/session/handoff", s.handoff, recent},
		{"POST /v1/session/redeem", s.redeem, open},
		{"POST /v1/password", s.changePassword, signedIn},
		{"GET /v1/session/data", s.getData, signedIn},
		{"PATCH /v1/session/data", s.patchData, signedIn},

		{"POST /oauth2/token", s.oauthToken, ownLogin},
		{"POST /oauth2/revoke", s.oauthRevoke, ownLogin},
		{"POST /oauth2/introspect", s.oauthIntrospect, ownLogin},
		{"GET /.well-known/oauth-authorization-server", s.oauthMetadata, ownLogin},
		{"GET /.well-known/jwks.json", s.jwks, ownLogin},
		{"GET " + resourcePath, s.resourceMetadata, ownLogin},
		{"GET " + statusListPath + "{list}", s.statusList, ownLogin},
		{"GET " + passwordPath, s.passwordAddress, ownLogin},

		{"GET /verify", s.verify, ownLogin},
		{"GET /livez", s.livez, ownLogin},
		{"GET /readyz", s.readyz, ownLogin},
		{"GET /openapi.yaml", s.openapi, ownLogin},

		{"GET /{$}", s.home, open},
		{"GET /login", s.loginPage, open},
		{"POST /login", s.loginForm, open},
		{"POST /logout", s.logoutForm, ownLogin},
		{"GET /signed-out", s.signedOutPage, open},
		{"GET /reset", s.resetPage, open},
		{"POST /reset", s.resetForm, open},
		{"GET /account", s.accountPage, open},
		{"POST /account/sessions/{sid}/end", s.accountEnd, open},
		{"POST /account/sessions/end-others", s.accountEndOthers, open},
		{"POST /account/password", s.accountPassword, open},
		{"POST /account/confirm", s.accountConfirm, open},
		{"GET " + web.AssetPath, s.pages.Assets().ServeHTTP, ownLogin},
	}
}

func (s *Server) adminEndpoints() []endpoint {
	return []endpoint{
		{"POST /v1/admin/sessions", s.adminStart, backend},
		{"GET /v1/admin/sessions", s.adminList, backend},
		{"GET /v1/admin/sessions/{sid}", s.adminShow, backend},
		{"DELETE /v1/admin/sessions/{sid}", s.adminEnd, backend},
		{"POST /v1/admin/revoke", s.adminRevoke, backend},
		{"GET /v1/admin/users", s.adminUsers, admin},
		{"POST /v1/admin/users", s.adminAddUser, admin},
		{"POST /v1/admin/users/{name}/disable", s.adminDisable, admin},
		{"POST /v1/admin/users/{name}/enable", s.adminEnable, admin},
		{"POST /v1/admin/users/{name}/reset", s.adminReset, admin},
		{"GET /v1/admin/keys", s.adminKeys, admin},
		{"POST /v1/admin/keys/rotate", s.adminRotate, admin},
		{"POST /v1/admin/keys/{kid}/withdraw", s.adminWithdraw, admin},
		{"GET /v1/admin/clients", s.adminClients, admin},
		{"POST /v1/admin/clients", s.adminAddClient, admin},
		{"DELETE /v1/admin/clients/{id}", s.adminRemoveClient, admin},
		{"GET /v1/admin/audit", s.adminAudit, admin},
		{"GET /v1/admin/verifiers", s.adminVerifiers, admin},

		{"GET /v1/revocations", s.feedStream, ownLogin},
		{"GET /v1/revocations/snapshot", s.feedSnapshot, ownLogin},
		{"POST /v1/revocations/ack", s.feedAck, ownLogin},

		{"GET /console", s.consoleSessions, adminPage},
		{"GET /console/sessions/{sid}", s.consoleSession, adminPage},
		{"POST /console/sessions/{sid}/end", s.consoleEnd, adminPage},
		{"GET /console/users", s.consoleUsers, adminPage},
		{"POST /console/users", s.consoleAddUser, adminPage},
		{"POST /console/users/{name}/disable", s.consoleDisable, adminPage},
		{"POST /console/users/{name}/enable", s.consoleEnable, adminPage},
		{"POST /console/users/{name}/reset", s.consoleReset, adminPage},
		{"GET /console/keys", s.consoleKeys, adminPage},
		{"POST /console/keys/rotate", s.consoleRotate, adminPage},
		{"POST /console/keys/{kid}/withdraw", s.consoleWithdraw, adminPage},
		{"GET /console/revocation", s.consoleRevocation, adminPage},
		{"GET /console/audit", s.consoleAudit, adminPage},
	}
}

// localEndpoints are for the owner of the data directory alone.
func (s *Server) localEndpoints() []endpoint {
	return []endpoint{
		{"POST /local/users", s.localAddUser, ownLogin},
		{"POST /local/users/{name}/password", s.localSetPassword, ownLogin},
		{"POST /local/users/import", s.localImport, ownLogin},
		{"POST /local/backup", s.localBackup, ownLogin},
	}
}

// route builds the handlers. Every route is in one of the tables above.
func (s *Server) route() {
	public := s.publicEndpoints()
	if s.cfg.AdminListen == "" {
		public = append(public, s.adminEndpoints()...)
	} else {
		// People sign in on the administrative address too: cookies do not
		// tell ports apart, and the console needs its assets.
		all := append(s.adminEndpoints(), s.publicEndpoints()...)
		all = append(all, endpoint{"GET /metrics", s.metrics.handler().ServeHTTP, ownLogin})
		s.admin = markConsole(s.edge(s.table(all, s.m.Handler)))
	}
	s.handler = s.edge(s.table(public, s.m.Handler))
	local := append(s.adminEndpoints(), s.localEndpoints()...)
	local = append(local, endpoint{"GET /.well-known/jwks.json", s.jwks, ownLogin})
	s.local = markLocal(s.edge(s.table(local, asOwner)))
}

type consoleKey struct{}

// markConsole marks requests on the administrative address.
func markConsole(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		next.ServeHTTP(w, r.WithContext(context.WithValue(r.Context(), consoleKey{}, true)))
	})
}

// servesConsole reports whether the console is on the address of a request.
func (s *Server) servesConsole(r *http.Request) bool {
	return s.cfg.AdminListen == "" || r.Context().Value(consoleKey{}) != nil
}

// table makes a router of endpoints: those that judge their callers themselves
// stand outside of the session middleware, the others inside.
func (s *Server) table(endpoints []endpoint, recognise func(http.Handler) http.Handler) *http.ServeMux {
	mux := http.NewServeMux()
	for _, e := range endpoints {
		var h http.Handler = e.handle
		if e.who != ownLogin {
			h = recognise(s.guard(e.who, e.handle))
		}
		mux.Handle(e.pattern, h)
	}
	return mux
}

func (s *Server) guard(who access, next http.HandlerFunc) http.HandlerFunc {
	need := lanyard.Need{}
	switch who {
	case open:
		return next
	case recent:
		need.MaxAge = lanyard.RecentAuth
	case admin, backend:
		return s.guardAdmin(who, next)
	case adminPage:
		return s.guardPage(next)
	}
	return s.m.Require(need, next).ServeHTTP
}

// apiPath reports whether an address answers programs, in JSON.
func apiPath(path string) bool {
	if path == passwordPath {
		return false // it is for people, wherever it stands
	}
	return strings.HasPrefix(path, "/v1/") || strings.HasPrefix(path, "/oauth2/") || strings.HasPrefix(path, "/.well-known/") ||
		strings.HasPrefix(path, "/local/") || strings.HasPrefix(path, statusListPath) || path == "/verify" || path == "/livez" || path == "/readyz" || path == "/openapi.yaml" || path == "/metrics"
}
