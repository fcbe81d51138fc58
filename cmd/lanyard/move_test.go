package main

import (
	"net/url"
	"strings"
	"testing"

	"github.com/lanyard-go/lanyard/internal/engines"
)

// TestSessionsMoveBetweenEngines takes sessions from engine to engine, around and
// around: nobody is signed out, and what has ended stays ended.
func TestSessionsMoveBetweenEngines(t *testing.T) {
	t.Parallel()
	data := dataDir(t)
	cluster := engines.RedisClusterOf(t, 3, 0)
	stores := []string{
		"sqlite:" + data + "/sessions.db", postgresServer.Get(t).Database(t), engines.Redis(t, "appendonly=yes").URL(),
		cluster.URL(), postgresServer.Get(t).Database(t), "sqlite:" + data + "/again.db",
	}
	const issuer = "http://localhost:1"
	p := start(t, data, "--store", stores[0], "--issuer", issuer)
	p.lanyard(t, goodPassword, "users", "add", "ada", "--password-stdin")
	client, _ := p.addClient(t, "backend", "--administer", "--create-sessions")
	same := "Origin: " + p.url
	handle := p.login(t, "ada", goodPassword)
	r := p.send(t, "POST", "/v1/login", loginBody("ada", goodPassword, "token")).want(t, 200)
	access, refresh := r.text(t, "access_token"), r.text(t, "refresh_token")
	p.send(t, "PATCH", "/v1/session/data", `{"cart":["otter"]}`, cookieHeader(handle), same)
	ended := p.login(t, "ada", goodPassword)
	p.send(t, "POST", "/v1/logout", "", cookieHeader(ended), same).want(t, 204)
	// Of a subject whose sessions were all ended, and of one whose epoch is raised.
	other := func() string {
		r := p.send(t, "POST", "/v1/admin/sessions", `{"subject":"bob","amr":["pwd"],"channel":"token"}`, client).want(t, 200)
		return r.text(t, "access_token")
	}
	before := other()
	p.send(t, "POST", "/v1/admin/revoke", `{"subject":"bob"}`, client).want(t, 200)
	after := other()

	for i, to := range stores[1:] {
		from := stores[i]
		if _, said, code := command(t, "", "migrate", "--data", data, "--from", from, "--to", to); code == 0 {
			t.Fatalf("sessions were moved while a server uses them: %s", said)
		}
		p.stop(t)
		out, problems, code := command(t, "", "migrate", "--data", data, "--from", from, "--to", to)
		if code != 0 {
			t.Fatalf("from %s to %s: exit code %d: %s", from, to, code, problems)
		}
		if !strings.Contains(out, "moved 5 sessions") {
			t.Errorf("from %s to %s: %s", from, to, out)
		}
		if code, said := refused(t, data, "--store", from, "--issuer", issuer); code == 0 || !strings.Contains(said, "were moved to") {
			t.Errorf("a server on the store that was left: exit code %d: %s", code, said)
		}
		if _, said, code := command(t, "", "migrate", "--data", data, "--from", from, "--to", to); code == 0 || !strings.Contains(said, "moved already") {
			t.Errorf("moved twice: exit code %d: %s", code, said)
		}
		p = start(t, data, "--store", to, "--issuer", issuer)
		p.send(t, "GET", "/v1/session", "", cookieHeader(handle)).want(t, 200)
		p.send(t, "GET", "/v1/session", "", bearer(access)).want(t, 200)
		p.send(t, "GET", "/v1/session", "", bearer(after)).want(t, 200)
		p.send(t, "GET", "/v1/session", "", cookieHeader(ended)).want(t, 401)
		p.send(t, "GET", "/v1/session", "", bearer(before)).want(t, 401)
		if data := p.send(t, "GET", "/v1/session/data", "", cookieHeader(handle)).want(t, 200); !strings.Contains(data.body, "otter") {
			t.Errorf("application data was lost on the way to %s: %s", to, data.body)
		}
		r := p.send(t, "POST", "/oauth2/token", url.Values{"grant_type": {"refresh_token"}, "refresh_token": {refresh}}.Encode()).want(t, 200)
		access, refresh = r.text(t, "access_token"), r.text(t, "refresh_token")
	}
}

func TestSessionsAreMovedIntoEmptyStoresOnly(t *testing.T) {
	t.Parallel()
	data := dataDir(t)
	p := start(t, data)
	p.lanyard(t, goodPassword, "users", "add", "ada", "--password-stdin")
	p.login(t, "ada", goodPassword)
	p.stop(t)
	from := "sqlite:" + data + "/sessions.db"
	server := engines.Redis(t)
	busy := start(t, dataDir(t), "--store", server.URL())
	busy.lanyard(t, goodPassword, "users", "add", "bob", "--password-stdin")
	busy.login(t, "bob", goodPassword)
	busy.stop(t)
	for what, c := range map[string]struct{ from, to, say string }{
		"a store in use":           {from, server.URL(), "holds sessions already"},
		"itself":                   {from, from, "is where the sessions are"},
		"memory":                   {from, "memory:", "memory"},
		"a file that is not there": {"sqlite:" + data + "/nothing.db", "sqlite:" + data + "/new.db", "no such file"},
		"no file":                  {"sqlite", "sqlite:" + data + "/new.db", "name the file"},
		"a wrong address":          {from, "redis://:hunter2@127.0.0.1:1", "setting to"},
	} {
		_, said, code := command(t, "", "migrate", "--data", data, "--from", c.from, "--to", c.to)
		if code == 0 || !strings.Contains(said, c.say) || strings.Contains(said, "hunter2") {
			t.Errorf("%s: exit code %d: %s", what, code, said)
		}
	}
	// None of it kept the first store from being used.
	start(t, data).login(t, "ada", goodPassword)
}
