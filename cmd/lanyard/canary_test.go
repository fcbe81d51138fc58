package main

import (
	"database/sql"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"io/fs"
	"net"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/lanyard-go/lanyard/store/sqlite"
)

// TestNoSecretIsLeftAnywhere runs every flow against the program with its most
// talkative log, remembers each secret that was handed out or typed, rightly or
// wrongly, and then looks for them in everything that is kept or shown: both
// databases, each file of the data directory but the keys', the log, the audit
// trail, the metrics, and every answer that should not have had it. Whatever is
// in the databases is then presented as each kind of credential.
//
// req: LOG-4, STORE-1, COOKIE-5, HTTP-8
func TestNoSecretIsLeftAnywhere(t *testing.T) {
	t.Parallel()
	admin := freeAddress(t)
	data := dataDir(t)
	hook := filepath.Join(t.TempDir(), "mail")
	if err := os.WriteFile(hook, []byte("#!/bin/sh\ncat >> \"$0.sent\"\n"), 0o700); err != nil {
		t.Fatal(err)
	}
	p := start(t, data, "--log-level", "debug", "--admin-listen", admin, "--audience", "https://orders.example",
		"--reset-hook", hook, "--trusted-proxies", "127.0.0.1")
	v := newVault(t, p)
	for _, f := range keyFiles(t, data) {
		for line := range strings.Lines(read(t, f)) {
			if _, rest, ok := strings.Cut(strings.TrimSpace(line), " "); ok && !strings.HasPrefix(line, "-----") {
				v.keep("server secret", rest)
			} else if len(line) > 40 && !strings.HasPrefix(line, "-----") {
				v.keep("signing key", strings.TrimSpace(line))
			}
		}
	}
	if len(v.secrets) < 2 {
		t.Fatalf("the keys were not found: %d", len(v.secrets))
	}

	flows := &flows{vault: v, admin: admin}
	flows.accounts()
	flows.browser()
	flows.forms()
	flows.programs()
	flows.wrongPlaces()
	flows.brokenDirectory()
	if len(v.secrets) < 60 {
		t.Errorf("only %d secrets were handed out", len(v.secrets))
	}

	metrics, err := request("http://"+admin, "GET", "/metrics", "")
	if err != nil || metrics.status != 200 || !strings.Contains(metrics.body, `lanyard_outcomes_total{kind="login",outcome="failed"}`) {
		t.Fatalf("metrics: %v, %d", err, metrics.status)
	}
	v.search("metrics", []byte(metrics.body))
	v.searchFiles(data)
	v.answers(data)
	p.lanyard(t, "", "backup", filepath.Join(filepath.Dir(data), "copy.tar"))
	v.search("backup", []byte(read(t, filepath.Join(filepath.Dir(data), "copy.tar"))))

	dump := dumpDatabases(t, data)
	for _, d := range dump {
		v.search(d.where, d.value)
	}
	if code := p.stop(t); code != 0 {
		t.Errorf("exit code %d", code)
	}
	v.searchFiles(data)
	v.search("standard output", []byte(p.out.String()))
	log := p.log.String()
	if strings.Count(log, "level=DEBUG msg=request") < 50 || !strings.Contains(log, "login_failed") {
		t.Errorf("the log does not have what happened:\n%s", log)
	}
	v.search("log", []byte(log))

	v.p = start(t, data, "--issuer", p.url, "--trusted-proxies", "127.0.0.1")
	v.present(dump)
}

// keyFiles are the only files that may hold secrets.
func keyFiles(t *testing.T, data string) []string {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(data, "keys", "*.pem"))
	if err != nil {
		t.Fatal(err)
	}
	return append(files, filepath.Join(data, "server.secret"))
}

func read(t *testing.T, path string) string {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// freeAddress is one that nothing listened on a moment ago.
func freeAddress(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}

// searchFiles looks into the bytes of every file of the data directory.
func (v *vault) searchFiles(data string) {
	v.t.Helper()
	skip := map[string]bool{}
	for _, f := range keyFiles(v.t, data) {
		skip[f] = true
	}
	seen := 0
	err := filepath.WalkDir(data, func(path string, d fs.DirEntry, err error) error {
		if err != nil || !d.Type().IsRegular() || skip[path] {
			return err
		}
		seen++
		v.search(path, []byte(read(v.t, path)))
		return nil
	})
	if err != nil || seen < 5 {
		v.t.Errorf("%d files were searched: %v", seen, err)
	}
}

// inside matches what tells about the inside of the program.
var inside = regexp.MustCompile(`(?i)goroutine |\.go:\d|select .* from|insert into|sqlite|no such table|panic|go1\.\d|devel|0x[0-9a-f]{8}`)

// answers checks what was sent back: the value of a cookie that scripts must not
// see is nowhere but in Set-Cookie, and a refusal tells nothing about the inside
// nor repeats a secret.
func (v *vault) answers(data string) {
	v.t.Helper()
	refusals := 0
	for _, r := range v.replies {
		text := r.body
		for name, values := range r.header {
			if name != "Set-Cookie" {
				text += "\n" + strings.Join(values, "\n")
			}
		}
		// A program that vouches for somebody is given the cookie to set.
		if !strings.HasPrefix(r.request, "POST /v1/admin/sessions") {
			for value, name := range v.cookies {
				if _, found := leak([]byte(text), value); found {
					v.t.Errorf("%s: the cookie %s is in the answer: %q", r.request, name, text)
				}
			}
		}
		if r.status < 400 {
			continue
		}
		refusals++
		if m := inside.FindString(text); m != "" || strings.Contains(text, filepath.Dir(data)) {
			v.t.Errorf("%s: the refusal tells about the inside (%q): %s", r.request, m, text)
		}
		for value, what := range v.secrets {
			// A form that is shown again has its own token, and the code that was
			// typed into it.
			again := what == "form token" || strings.Contains(what, "reset code") && r.request == "POST /reset"
			if !again && strings.Contains(text, value) {
				v.t.Errorf("%s: the refusal has a %s in it: %s", r.request, what, text)
			}
		}
	}
	if refusals < 40 {
		v.t.Errorf("only %d refusals were looked at", refusals)
	}
}

// found is a value in a database.
type found struct {
	where string
	value []byte
}

// dumpDatabases reads every value of every table.
func dumpDatabases(t *testing.T, data string) (out []found) {
	t.Helper()
	for _, name := range []string{"sessions.db", "directory.db"} {
		db, err := sql.Open("sqlite", sqlite.DSN(filepath.Join(data, name)))
		if err != nil {
			t.Fatal(err)
		}
		defer db.Close()
		var tables []string
		rows, err := db.QueryContext(t.Context(), "SELECT name FROM sqlite_schema WHERE type = 'table'")
		if err != nil {
			t.Fatal(err)
		}
		for rows.Next() {
			var table string
			if err := rows.Scan(&table); err != nil {
				t.Fatal(err)
			}
			tables = append(tables, table)
		}
		if err := rows.Err(); err != nil {
			t.Fatal(err)
		}
		for _, table := range tables {
			out = append(out, dumpTable(t, db, table)...)
		}
	}
	if len(out) < 100 {
		t.Errorf("only %d values are in the databases", len(out))
	}
	return out
}

func dumpTable(t *testing.T, db *sql.DB, table string) (out []found) {
	t.Helper()
	rows, err := db.QueryContext(t.Context(), `SELECT * FROM "`+table+`"`)
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	columns, err := rows.Columns()
	if err != nil {
		t.Fatal(err)
	}
	for rows.Next() {
		values, into := make([]sql.RawBytes, len(columns)), make([]any, len(columns))
		for i := range values {
			into[i] = &values[i]
		}
		if err := rows.Scan(into...); err != nil {
			t.Fatal(err)
		}
		for i, value := range values {
			out = append(out, found{table + "." + columns[i], append([]byte(nil), value...)})
		}
	}
	if err := rows.Err(); err != nil {
		t.Fatal(err)
	}
	return out
}

// present uses whatever a thief of the databases has as each kind of credential.
// Every try comes from another network, so that nothing is refused for being one
// of many.
func (v *vault) present(dump []found) {
	t := v.t
	t.Helper()
	tries := 0
	from := func() []string {
		tries++
		return []string{fmt.Sprintf("X-Forwarded-For: 10.%d.%d.1", tries/250, tries%250), "X-Forwarded-Proto: https"}
	}
	page := v.p.send(t, "GET", "/reset", "", from()...)
	pre, token := page.cookie(t, sessionCookie+"-pre"), formToken.FindStringSubmatch(page.body)[1]
	seen := map[string]bool{}
	for _, d := range dump {
		texts := []string{string(d.value), base64.RawURLEncoding.EncodeToString(d.value), hex.EncodeToString(d.value)}
		for _, text := range texts {
			if len(d.value) < 16 || len(text) > 4096 || strings.ContainsAny(text, "\x00\r\n") || !isPrintable(text) || seen[text] {
				continue
			}
			seen[text] = true
			for _, try := range []struct {
				name   string
				status int
				r      reply
			}{
				{"handle", 401, v.p.send(t, "GET", "/v1/session", "", append(from(), cookieHeader(url.QueryEscape(text)))...)},
				{"access token", 401, v.p.send(t, "GET", "/v1/session", "", append(from(), bearer(text))...)},
				{"refresh token", 400, v.p.send(t, "POST", "/oauth2/token", url.Values{"grant_type": {"refresh_token"}, "refresh_token": {text}}.Encode(), from()...)},
				{"hand-off code", 400, v.p.send(t, "POST", "/v1/session/redeem", `{"code":`+quote(text)+`}`, from()...)},
				{"reset code", 400, v.p.send(t, "POST", "/reset", url.Values{"csrf_token": {token}, "code": {text}, "new": {"a password nobody else has"}}.Encode(),
					append(from(), "Sec-Fetch-Site: same-origin", "Cookie: "+sessionCookie+"-pre="+pre)...)},
				{"client secret", 401, v.p.send(t, "POST", "/oauth2/introspect", "token=x", append(from(), basicAuth("orders", text))...)},
			} {
				if try.r.status != try.status {
					t.Errorf("%s as %s: %d %s", d.where, try.name, try.r.status, try.r.body)
				}
			}
		}
	}
	for _, d := range dump {
		if d.where == "directory_users.hash" && len(d.value) > 0 {
			v.p.send(t, "POST", "/v1/login", loginBody("ada", string(d.value), "token"), from()...).want(t, http.StatusUnauthorized)
		}
	}
	if tries < 200 {
		t.Errorf("only %d tries were made", tries)
	}
}

func isPrintable(s string) bool {
	for _, c := range []byte(s) {
		if c < 0x20 || c >= 0x7f {
			return false
		}
	}
	return true
}
