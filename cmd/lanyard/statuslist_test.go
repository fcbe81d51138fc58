package main

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/lanyard-go/lanyard/internal/engines"
	"github.com/lanyard-go/lanyard/revocation/statuslist"
	"github.com/lanyard-go/lanyard/token"
)

const (
	listIssuer = "https://app.example"
	overTLS    = "X-Forwarded-Proto: https" // as a proxy on this machine says
)

// listReader is a third party: it has the published keys, and no credentials.
type listReader struct {
	t    *testing.T
	keys *token.PublicKeys
}

func newListReader(t *testing.T, p *process) *listReader {
	t.Helper()
	keys, err := token.ParseJWKS([]byte(p.send(t, "GET", "/.well-known/jwks.json", "", overTLS).want(t, 200).body))
	if err != nil {
		t.Fatal(err)
	}
	return &listReader{t, keys}
}

// place reads from an access token where its session stands.
func (r *listReader) place(access string) statuslist.Reference {
	r.t.Helper()
	v, err := token.NewVerifier(token.VerifierConfig{Issuer: listIssuer, SkipAudience: true, Keys: r.keys})
	if err != nil {
		r.t.Fatal(err)
	}
	claims, err := v.Verify(access)
	if err != nil {
		r.t.Fatal(err)
	}
	ref, err := statuslist.ParseReference(claims.Extra["status"])
	if err != nil {
		r.t.Fatal(err)
	}
	return ref
}

// status fetches the list from a node. False: the node cannot say.
func (r *listReader) status(p *process, ref statuslist.Reference) (list *statuslist.Token, status byte, ok bool) {
	r.t.Helper()
	a := p.send(r.t, "GET", strings.TrimPrefix(ref.URI, listIssuer), "", overTLS)
	if a.status == http.StatusServiceUnavailable && a.header.Get("Retry-After") != "" {
		return nil, 0, false
	}
	list, err := statuslist.Verify(a.want(r.t, 200).body, statuslist.Expected{URI: ref.URI, Issuer: listIssuer, Keys: r.keys, Now: time.Now()})
	if err == nil {
		status, err = list.List.Get(ref.Index)
	}
	if err != nil {
		r.t.Fatal(err)
	}
	return list, status, true
}

// shows polls until the list from a node has the status.
func (r *listReader) shows(p *process, ref statuslist.Reference, want byte) *statuslist.Token {
	r.t.Helper()
	for end := time.Now().Add(patience); ; time.Sleep(10 * time.Millisecond) {
		if list, got, ok := r.status(p, ref); ok && got == want {
			return list
		}
		if time.Now().After(end) {
			r.t.Fatalf("the list never shows %d", want)
		}
	}
}

// An end at one node shows in the list that a third party fetches from another,
// in every list that is made after it, and at a node that was killed and started
// again.
//
// req: REVOKE-20, REVOKE-21
func TestEndsShowInStatusListsOfEveryNode(t *testing.T) {
	t.Parallel()
	for name, open := range map[string]func(t *testing.T) (store, directory string){
		"PostgreSQL": func(t *testing.T) (string, string) {
			db := postgresServer.Get(t)
			return db.Database(t), db.Database(t)
		},
		"Redis Cluster": func(t *testing.T) (string, string) { return engines.RedisClusterOf(t, 3, 0).URL(), "sqlite" },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			store, directory := open(t)
			const ttl = 5 * time.Second
			x := startNodes(t, 2, store, directory, "--issuer", listIssuer, "--status-list", ttl.String())
			a, b := x.each[0], x.each[1]
			a.lanyard(t, goodPassword, "users", "add", "ada", "--password-stdin")
			a.lanyard(t, goodPassword, "users", "add", "bob", "--password-stdin")
			reader := newListReader(t, b)
			login := func(user string) (access string, ref statuslist.Reference) {
				t.Helper()
				r := a.send(t, "POST", "/v1/login", loginBody(user, goodPassword, "token"), overTLS).want(t, 200)
				access = r.text(t, "access_token")
				return access, reader.place(access)
			}
			one, oneAt := login("ada")
			all, allAt := login("ada")
			_, otherAt := login("ada")
			_, bobAt := login("bob")
			for _, ref := range []statuslist.Reference{oneAt, allAt, otherAt, bobAt} {
				reader.shows(b, ref, statuslist.Valid)
			}
			ends := map[statuslist.Reference]time.Time{}
			a.send(t, "POST", "/v1/logout", "", bearer(one), overTLS).want(t, 204)
			ends[oneAt] = time.Now()
			reader.shows(b, oneAt, statuslist.Invalid)
			reader.shows(b, otherAt, statuslist.Valid)

			a.send(t, "POST", "/v1/sessions/revoke", `{"scope":"all"}`, bearer(all), overTLS).want(t, 200)
			ends[allAt], ends[otherAt] = time.Now(), time.Now()
			for ref, end := range ends {
				for shown := false; !shown; {
					list, status, ok := reader.status(b, ref)
					if shown = ok && status == statuslist.Invalid; shown || !ok {
						continue
					}
					if list.IssuedAt.After(end) {
						t.Fatalf("a list of %v does not show an end at %v", list.IssuedAt, end)
					}
					if late := list.Expiry.Sub(end); late > ttl+2*time.Second {
						t.Fatalf("a list without an end is believed until %v after it", late)
					}
					time.Sleep(10 * time.Millisecond)
				}
			}
			b.crash(t)
			again := start(t, x.data, x.args...)
			for _, p := range []*process{a, again} {
				for ref := range ends {
					if _, status, ok := reader.status(p, ref); ok && status != statuslist.Invalid {
						t.Errorf("after a restart the first list says %d of a session that has ended", status)
					}
					reader.shows(p, ref, statuslist.Invalid)
				}
				reader.shows(p, bobAt, statuslist.Valid)
			}
			a.lanyard(t, "", "sessions", "revoke", "--all", "--reason", "left")
			reader.shows(again, bobAt, statuslist.Invalid)
		})
	}
}
