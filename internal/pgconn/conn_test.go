package pgconn

import (
	"errors"
	"strings"
	"testing"

	"github.com/lanyard-go/lanyard/internal/engines"
)

// req: STORE-6
func TestOnlyLocalOrVerifiedConnectionsArePrivate(t *testing.T) {
	for url, want := range map[string]bool{
		"postgres://u:p@127.0.0.1/db?sslmode=disable":                         true,
		"postgres://u:p@[::1]:5432/db?sslmode=disable":                        true,
		"postgres://u:p@localhost/db?sslmode=disable":                         true,
		"postgres:///db?host=/run/postgresql":                                 true,
		"postgres://u:p@db.example/db?sslmode=verify-full":                    true,
		"postgres://u:p@db.example/db":                                        false,
		"postgres://u:p@db.example/db?sslmode=disable":                        false,
		"postgres://u:p@db.example/db?sslmode=prefer":                         false,
		"postgres://u:p@db.example/db?sslmode=require":                        false,
		"postgres://u:p@192.0.2.7/db?sslmode=require":                         false,
		"postgres://u:p@127.0.0.1,db.example/db?sslmode=disable":              false,
		"postgres://u:p@localhost.example/db?sslmode=disable":                 false,
		"postgres://u:p@a.example:5432,b.example:5432/db?sslmode=verify-full": true,
		"postgres://u:p@127.0.0.1/db?sslmode=disable&host=db.example":         false,
	} {
		got, reason, err := Private(url)
		if err != nil || got != want || (reason == "") != want {
			t.Errorf("%s: %t, %q, %v, want %t", url, got, reason, err, want)
		}
	}
}

func TestBadURLsAreRefusedWithoutThePassword(t *testing.T) {
	for _, url := range []string{
		"", "mysql://u:hunter2@h/db", "host=h password=hunter2", "postgres://u:hunter2@h:port/db",
		"postgres://u:hunter2@h/db?sslmode=maybe", "postgres://u:hunter2@h/db?pool_max_conns=0",
		"postgres://u:hunter2@h/db?pool_max_conns=3x", "postgres://u:hunter2@%zz/db", "postgres://u:hunter2%zz@h/db",
		"postgres://u:hunter2@h/db?connect_timeout=soon",
	} {
		_, err := Open(url)
		if !errors.Is(err, ErrURL) {
			t.Errorf("%s: %v, want ErrURL", url, err)
		} else if strings.Contains(err.Error(), "hunter2") {
			t.Errorf("the password is in %v", err)
		}
		if _, err := Listener(url); !errors.Is(err, ErrURL) {
			t.Errorf("Listener of %s: %v", url, err)
		}
		if _, _, err := Private(url); !errors.Is(err, ErrURL) {
			t.Errorf("Private of %s: %v", url, err)
		}
	}
	db, err := Open("postgres://u:hunter2@127.0.0.1:1/db?sslmode=disable")
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	if err := db.Ping(); err == nil || strings.Contains(err.Error(), "hunter2") {
		t.Errorf("nobody listens: %v", err)
	}
}

func TestConnectionsHaveLimitsUnlessTheURLHasOthers(t *testing.T) {
	url := engines.Postgres(t).URL("postgres")
	show := func(url, setting string) (value string) {
		t.Helper()
		db, err := Open(url)
		if err != nil {
			t.Fatal(err)
		}
		defer db.Close()
		if err := db.QueryRow("SELECT current_setting($1)", setting).Scan(&value); err != nil {
			t.Fatal(err)
		}
		return value
	}
	for setting, want := range map[string]string{
		"statement_timeout": "30s", "lock_timeout": "10s", "idle_in_transaction_session_timeout": "30s",
		"enable_seqscan": "off", "default_transaction_isolation": "read committed", "application_name": "lanyard",
	} {
		if got := show(url, setting); got != want {
			t.Errorf("%s is %q, want %q", setting, got, want)
		}
	}
	if got := show(url+"&statement_timeout=7s", "statement_timeout"); got != "7s" {
		t.Errorf("the URL's statement_timeout is %q", got)
	}
	db, err := Open(url + "&pool_max_conns=3")
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	if most := db.Stats().MaxOpenConnections; most != 3 {
		t.Errorf("the pool holds up to %d connections, want 3", most)
	}
}
