package directory

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/lanyard-go/lanyard/password"
)

func TestImportUsers(t *testing.T) {
	onEachEngine(t, func(t *testing.T, e engine) {
		d, q, _ := newQuick(t, e, ThrottleConfig{})
		hash, _ := q.Hash(t.Context(), good.Reveal())
		res, err := d.ImportUsers(t.Context(), strings.NewReader(
			`{"name":"Ada","hash":"`+hash+`","admin":true}`+"\r\n\n  \n"+
				`{ "disabled": true, "hash": "`+hash+`", "name": "bob", "admin": false }`+"\n"+
				`{"name":"\u0063arl","hash":"`+hash+`"}`))
		if want := (ImportResult{Users: 3, Admins: 1, Disabled: 1}); err != nil || res != want {
			t.Fatalf("got %+v, %v, want %+v", res, err, want)
		}
		if u, err := d.Authenticate(t.Context(), Attempt{Name: "ada", Password: good}); err != nil || !u.Admin || u.Initial {
			t.Fatalf("got %+v, %v", u, err)
		}
		if u, err := d.User(t.Context(), "bob"); err != nil || !u.Disabled || u.Admin {
			t.Fatalf("got %+v, %v", u, err)
		}
		if _, err := d.User(t.Context(), "carl"); err != nil {
			t.Fatal(err)
		}
	})
}

func TestImportIsStrictAndAllOrNothing(t *testing.T) {
	onEachEngine(t, func(t *testing.T, e engine) {
		const hash = `"hash":"quick:x"`
		tests := []struct {
			name, line, want string
		}{
			{"an unknown member", `{"name":"b",` + hash + `,"role":"x"}`, `"role" is not known`},
			{"a member in capitals", `{"Name":"b",` + hash + `}`, `"Name" is not known`},
			{"a member twice", `{"name":"b",` + hash + `,"admin":false,"admin":true}`, `"admin" is there twice`},
			{"a member twice by an escape", `{"name":"b",` + hash + `,"\u006eame":"c"}`, `"name" is there twice`},
			{"something after the object", `{"name":"b",` + hash + `} {}`, "follows"},
			{"two objects", `{"name":"b",` + hash + `}{"name":"c",` + hash + `}`, "follows"},
			{"an array", `["b"]`, "not a JSON object"},
			{"null", `null`, "not a JSON object"},
			{"half an object", `{"name":"b",` + hash, "malformed"},
			{"a null name", `{"name":null,` + hash + `}`, "name has a value of the wrong type"},
			{"a number for a flag", `{"name":"b",` + hash + `,"admin":1}`, "admin has a value of the wrong type"},
			{"an object for a flag", `{"name":"b",` + hash + `,"admin":{}}`, "admin has a value of the wrong type"},
			{"no name", `{` + hash + `}`, "name"},
			{"no hash", `{"name":"b"}`, "hash is missing"},
			{"a hash nobody knows", `{"name":"b","hash":"plain text"}`, "hash"},
			{"an empty hash", `{"name":"b","hash":""}`, "hash"},
			{"a client's subject", `{"name":"client:b",` + hash + `}`, "name"},
			{"a name that is there", `{"name":"ADA",` + hash + `}`, "exists"},
			{"a name from the line before", `{"name":"FIRST",` + hash + `}`, "in line 1 too"},
			{"broken UTF-8", "{\"name\":\"b\xff\"," + hash + "}", "UTF-8"},
			{"a line without end", `{"name":"` + strings.Repeat("b", 5000) + `",` + hash + `}`, "longer than"},
			{"a byte order mark", "\ufeff" + `{"name":"b",` + hash + `}`, "not a JSON object"},
		}
		d, _, _ := newQuick(t, e, ThrottleConfig{})
		addUser(t, d, "ada")
		for _, tt := range tests {
			t.Run(tt.name, func(t *testing.T) {
				res, err := d.ImportUsers(t.Context(), strings.NewReader(`{"name":"first",`+hash+"}\n"+tt.line+"\n"))
				wrong, ok := errors.AsType[*ImportError](err)
				if !ok || wrong.Line != 2 || !strings.Contains(err.Error(), tt.want) || res != (ImportResult{}) {
					t.Fatalf("got %+v, %v, want an error in line 2 that says %q", res, err, tt.want)
				}
				if strings.Contains(err.Error(), "plain text") {
					t.Fatalf("the error shows the hash: %v", err)
				}
				if users, err := d.Users(t.Context(), "", 0); err != nil || len(users) != 1 {
					t.Fatalf("%d users, %v, want the one from before", len(users), err)
				}
			})
		}
	})
}

func TestImportReportsAReaderThatFails(t *testing.T) {
	onEachEngine(t, func(t *testing.T, e engine) {
		d, _, _ := newQuick(t, e, ThrottleConfig{})
		broken := errors.New("broken pipe")
		r := io.MultiReader(strings.NewReader(`{"name":"a","hash":"quick:x"}`+"\n"), iotest.ErrReader(broken))
		if _, err := d.ImportUsers(t.Context(), r); !errors.Is(err, broken) {
			t.Fatalf("got %v, want the reader's error", err)
		}
		if users, err := d.Users(t.Context(), "", 0); err != nil || len(users) != 0 {
			t.Fatalf("%d users, %v, want none", len(users), err)
		}
	})
}

// A hash of a known kind that would take the machine down is refused when it
// is imported, not when somebody signs in.
func TestImportAsksTheHasher(t *testing.T) {
	onEachEngine(t, func(t *testing.T, e engine) {
		d := open(t, e.openDB(t, t.TempDir()+"/d.db"), Config{})
		const line = `{"name":"ada","hash":"$argon2id$v=19$m=4294967295,t=1,p=1$c29tZXNhbHRzb21lc2FsdA$MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY"}`
		_, err := d.ImportUsers(t.Context(), strings.NewReader(line))
		if _, ok := errors.AsType[*password.HashError](err); !ok {
			t.Fatalf("got %v, want a *password.HashError", err)
		}
	})
}

// Whatever the bytes, an import adds the users it says it added or none, and
// reading back what was read gives the same.
func FuzzImportUsers(f *testing.F) {
	for _, s := range []string{
		`{"name":"ada","hash":"quick:x","admin":true,"disabled":false}`,
		"{\"name\":\"a\",\"hash\":\"quick:\"}\n\n{\"name\":\"b\",\"hash\":\"quick:\"}",
		`{"name":"a","hash":"quick:","hash":"quick:"}`, `{"name":"a"`, `{"name":{}}`, `{}{}`, "\xff", `{"":0}`, "",
		`{"name":"a","hash":"quick:\ud800"}`,
	} {
		f.Add([]byte(s))
	}
	d, _, _ := newQuick(f, onSQLite, ThrottleConfig{})
	count := func(t *testing.T) (n int) {
		if err := d.db.QueryRow(`SELECT count(*) FROM directory_users`).Scan(&n); err != nil {
			t.Fatal(err)
		}
		return n
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		if _, err := d.db.Exec(`DELETE FROM directory_users`); err != nil {
			t.Fatal(err)
		}
		res, err := d.ImportUsers(t.Context(), bytes.NewReader(data))
		if got := count(t); got != res.Users || err != nil && got != 0 {
			t.Fatalf("%d users added, result %+v, %v", got, res, err)
		}
		users, err := readImport(bytes.NewReader(data))
		if err != nil {
			return
		}
		var again bytes.Buffer
		for _, u := range users {
			if err := CheckName(u.Name); err != nil {
				t.Fatal(err)
			}
			line, err := json.Marshal(u)
			if err != nil {
				t.Fatal(err)
			}
			fmt.Fprintf(&again, "%s\n", line)
		}
		if again.Len() > maxImportLine {
			return // escapes can make a line longer than it was
		}
		second, err := readImport(&again)
		if err != nil || len(second) != len(users) {
			t.Fatalf("read %d users, then %d, %v", len(users), len(second), err)
		}
		for i := range users {
			users[i].line, second[i].line = 0, 0
			if users[i] != second[i] {
				t.Fatalf("read %+v, then %+v", users[i], second[i])
			}
		}
	})
}
