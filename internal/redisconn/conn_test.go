package redisconn

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/lanyard-go/lanyard/internal/engines"
)

func TestURLsNameWhereToConnect(t *testing.T) {
	for _, test := range []struct {
		url  string
		want target
	}{
		{"redis://h", target{addresses: []string{"h:6379"}}},
		{"redis://:s%40c%2Fr@h:1/3", target{addresses: []string{"h:1"}, password: "s@c/r", db: 3}},
		{"redis://u:a:b@c@[::1]:1", target{addresses: []string{"[::1]:1"}, user: "u", password: "a:b@c"}},
		{"rediss://u:p@h", target{tls: true, addresses: []string{"h:6379"}, user: "u", password: "p"}},
		{"redis-cluster://a,b:2,c", target{cluster: true, addresses: []string{"a:6379", "b:2", "c:6379"}}},
		{"rediss-cluster://a/0", target{tls: true, cluster: true, addresses: []string{"a:6379"}}},
		{"redis-sentinel://a,b/main/2", target{sentinel: "main", addresses: []string{"a:26379", "b:26379"}, db: 2}},
	} {
		if got, err := parse(test.url); err != nil || !reflect.DeepEqual(*got, test.want) {
			t.Errorf("%s: %+v, error %v, want %+v", test.url, got, err, test.want)
		}
	}
}

func TestBadURLsSayWhatIsWrongAndNotThePassword(t *testing.T) {
	for url, want := range map[string]string{
		"h:6379":                         "starts with",
		"http://:hunter2@h":              "scheme",
		"redis-other://:hunter2@h":       "scheme",
		"redis://:hunter2@":              "host name",
		"redis://:hunter2@h:0":           "port",
		"redis://:hunter2@h:x":           "port",
		"redis://:hunter2@h/x":           "database",
		"redis://:hunter2@h/-1":          "database",
		"redis://:hunter2@h?db=1":        "query",
		"redis://:hunter2#@h":            "%23",
		"redis://:hunter2%zz@h":          "%",
		"redis://:hunter2@a,b":           "redis-cluster://",
		"redis-cluster://:hunter2@a,b/1": "database 0",
		"redis-sentinel://:hunter2@a,b":  "name of the primary",
		"redis://:hunter2@192.0.2.1":     "TLS",
		"redis://:hunter2@localhost.x":   "TLS",
	} {
		_, err := Open(Config{URL: url})
		if err == nil || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "hunter2") {
			t.Errorf("%s: error %v, want one with %q and no password", url, err, want)
		}
	}
}

// req: STORE-6
func TestPlaintextToAnotherMachineNeedsASwitch(t *testing.T) {
	if _, err := Open(Config{URL: "redis://192.0.2.1"}); !errors.Is(err, ErrPlaintext) {
		t.Errorf("error %v, want %v", err, ErrPlaintext)
	}
	for _, url := range []string{"redis-cluster://127.0.0.1,192.0.2.1", "redis-sentinel://db.example/main"} {
		if _, err := Open(Config{URL: url}); !errors.Is(err, ErrPlaintext) {
			t.Errorf("%s: error %v, want %v", url, err, ErrPlaintext)
		}
	}
}

func TestAWrongPasswordIsRefusedByTheServer(t *testing.T) {
	server := engines.Redis(t, "requirepass=right")
	for _, login := range []string{"", ":hunter2@", "nobody:hunter2@"} {
		c, err := Open(Config{URL: "redis://" + login + server.Addr})
		if err == nil {
			_, err = c.Do(t.Context(), []string{"GET", "x"}, 1)
			c.Close()
		}
		if err == nil || strings.Contains(err.Error(), "hunter2") ||
			!strings.Contains(err.Error(), "WRONGPASS") && !strings.Contains(err.Error(), "NOAUTH") {
			t.Errorf("%q: error %v", login, err)
		}
	}
	c, err := Open(Config{URL: "redis://:right@" + server.Addr + "/2"})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if _, err := c.Do(t.Context(), []string{"SET", "x", "1"}, 1); err != nil {
		t.Error(err)
	}
}

func TestRepliesAreOfTheTypesThatTheStoreKnows(t *testing.T) {
	server := engines.Redis(t)
	c, err := Open(Config{URL: server.URL()})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	for _, test := range []struct {
		cmd  []string
		want any
	}{
		{[]string{"GET", "nothing"}, nil},
		{[]string{"SET", "text", "a\x00\xff\r\n"}, "OK"},
		{[]string{"GET", "text"}, "a\x00\xff\r\n"},
		{[]string{"DEL", "text", "nothing"}, int64(1)},
		{[]string{"MGET", "a", "b"}, []any{nil, nil}},
		{[]string{"EVAL", "return {1, {'two', false}}", "1", "k"}, []any{int64(1), []any{"two", nil}}},
	} {
		key := 1
		if test.cmd[0] == "EVAL" {
			key = 3
		}
		if got, err := c.Do(t.Context(), test.cmd, key); err != nil || !reflect.DeepEqual(got, test.want) {
			t.Errorf("%v: %#v, error %v, want %#v", test.cmd, got, err, test.want)
		}
	}
	if _, err := c.Do(t.Context(), []string{"EVALSHA", strings.Repeat("0", 40), "1", "k"}, 3); err == nil || !strings.HasPrefix(err.Error(), "NOSCRIPT") {
		t.Errorf("error %v, want one that starts with its code", err)
	}
}

func TestAServerThatIsNotThereIsAnError(t *testing.T) {
	server := engines.Redis(t)
	server.Kill(t)
	if _, err := Open(Config{URL: server.URL()}); err == nil {
		t.Error("connected")
	}
	if err := server.Start(); err != nil {
		t.Fatal(err)
	}
}

// req: STORE-6
func TestTLSChecksTheServersCertificate(t *testing.T) {
	dir := t.TempDir()
	roots := certificate(t, dir)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	port := l.Addr().(*net.TCPAddr).Port
	l.Close()
	engines.Redis(t, fmt.Sprint("tls-port=", port), "tls-auth-clients=no",
		"tls-cert-file="+filepath.Join(dir, "cert.pem"), "tls-key-file="+filepath.Join(dir, "key.pem"),
		"tls-ca-cert-file="+filepath.Join(dir, "cert.pem"))
	url := fmt.Sprintf("rediss://127.0.0.1:%d", port)
	if c, err := Open(Config{URL: url}); err == nil {
		c.Close()
		t.Error("a certificate that nobody vouches for was taken")
	}
	c, err := Open(Config{URL: url, TLS: &tls.Config{RootCAs: roots, MinVersion: tls.VersionTLS12}})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
	defer cancel()
	if _, err := c.Do(ctx, []string{"GET", "x"}, 1); err != nil {
		t.Error(err)
	}
}

// certificate writes one for 127.0.0.1, signed by itself.
func certificate(t *testing.T, dir string) *x509.CertPool {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, IsCA: true, BasicConstraintsValid: true,
	}
	cert, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	private, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	for name, block := range map[string]*pem.Block{
		"cert.pem": {Type: "CERTIFICATE", Bytes: cert}, "key.pem": {Type: "PRIVATE KEY", Bytes: private},
	} {
		if err := os.WriteFile(filepath.Join(dir, name), pem.EncodeToMemory(block), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	parsed, err := x509.ParseCertificate(cert)
	if err != nil {
		t.Fatal(err)
	}
	pool := x509.NewCertPool()
	pool.AddCert(parsed)
	return pool
}
