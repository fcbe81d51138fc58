package lanyard_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// Nothing is encrypted in this module, so nothing that encrypts is imported: a
// first use brings its own rules and tests.
//
// req: KEY-6
func TestNothingEncryptsByItself(t *testing.T) {
	for _, p := range packages(t) {
		if p.name() == "internal/directory" {
			continue // seals signing keys, see its tests
		}
		for _, path := range p.Imports {
			switch path {
			case "crypto/aes", "crypto/cipher", "crypto/des", "crypto/rc4", "golang.org/x/crypto/chacha20", "golang.org/x/crypto/chacha20poly1305", "golang.org/x/crypto/nacl/secretbox":
				t.Errorf("%s imports %s", p.name(), path)
			}
		}
	}
}

// secretNames are what secrets and their digests are called in this module.
var secretNames = []string{"secret", "Secret", "digest", "Digest", "Handle", "Predecessor", "text", "mac", "MAC", "password", "Password"}

// Comparing a secret or its digest with == stops at the first byte that differs,
// and the time tells where. Comparing with nothing at all tells nothing.
//
// req: SID-8
func TestSecretsAreNotComparedWithEquals(t *testing.T) {
	for _, dir := range []string{".", "csrf", "internal/directory", "password", "internal/server"} {
		files, err := filepath.Glob(filepath.Join(dir, "*.go"))
		if err != nil || len(files) == 0 {
			t.Fatalf("%s: %v", dir, err)
		}
		for _, path := range files {
			if strings.HasSuffix(path, "_test.go") {
				continue
			}
			set := token.NewFileSet()
			file, err := parser.ParseFile(set, path, nil, 0)
			if err != nil {
				t.Fatal(err)
			}
			for _, pos := range secretComparisons(file) {
				t.Errorf("%s compares a secret with == or !=", set.Position(pos))
			}
		}
	}
}

func secretComparisons(file *ast.File) (found []token.Pos) {
	ast.Inspect(file, func(n ast.Node) bool {
		b, ok := n.(*ast.BinaryExpr)
		if !ok || b.Op != token.EQL && b.Op != token.NEQ || isNothing(b.X) || isNothing(b.Y) {
			return true
		}
		if slices.Contains(secretNames, lastName(b.X)) || slices.Contains(secretNames, lastName(b.Y)) {
			found = append(found, b.Pos())
		}
		return true
	})
	return found
}

// isNothing reports whether an operand is empty: "", nil, a number or T{}.
func isNothing(e ast.Expr) bool {
	switch e := e.(type) {
	case *ast.BasicLit:
		return e.Value == `""` || e.Kind != token.STRING
	case *ast.CompositeLit:
		return len(e.Elts) == 0
	case *ast.Ident:
		return e.Name == "nil"
	}
	return false
}

func lastName(e ast.Expr) string {
	switch e := e.(type) {
	case *ast.Ident:
		return e.Name
	case *ast.SelectorExpr:
		return e.Sel.Name
	case *ast.CallExpr:
		if sel, ok := e.Fun.(*ast.SelectorExpr); ok && sel.Sel.Name == "Reveal" {
			return "secret"
		}
	}
	return ""
}

func TestSecretComparisonsAreFound(t *testing.T) {
	const src = `package p
func f(a, b T) bool { return a.Handle == b.Handle || a.secret != b.secret || s.Reveal() == x || d == (Digest{}) || secret == "" }`
	file, err := parser.ParseFile(token.NewFileSet(), "p.go", src, 0)
	if err != nil {
		t.Fatal(err)
	}
	if n := len(secretComparisons(file)); n != 3 {
		t.Errorf("%d comparisons found, want 3", n)
	}
}

// With the issuer a subject names a person uniquely; the two are what a handler
// gets, and no address of theirs.
//
// req: JWT-28
func TestAPersonIsIssuerAndSubject(t *testing.T) {
	w := newWorld(t)
	s := w.send(bearer(get("/"), w.startToken().Access.Reveal()))
	if w.Issuer() != site || s.session.Subject() != "ann" {
		t.Errorf("issuer %q, subject %q", w.Issuer(), s.session.Subject())
	}
}

// req: REFRESH-16
func TestRefreshTokensAreNeverACookie(t *testing.T) {
	w := newWorld(t)
	g := w.startToken()
	a := httptest.NewRecorder()
	if err := w.Write(a, loopback(post("/login")), g); err != nil {
		t.Fatal(err)
	}
	if lines := setCookies(a); len(lines) != 0 {
		t.Errorf("Set-Cookie %q", lines)
	}
	if !strings.Contains(a.Body.String(), g.Refresh.Reveal()) {
		t.Error("the refresh token is not in the answer either")
	}
}

// Only "storage" is cleared, and no setting can widen it: "cookies" would sign out
// every host of the registrable domain.
//
// req: HTTP-3
func TestClearSiteDataClearsStorageAlone(t *testing.T) {
	w := newWorld(t)
	rec := httptest.NewRecorder()
	w.Clear(rec)
	if got := rec.Header().Values("Clear-Site-Data"); len(got) != 1 || got[0] != `"storage"` {
		t.Errorf("Clear-Site-Data %q", got)
	}
}

func loopback(r *http.Request) *http.Request {
	r.RemoteAddr = "127.0.0.1:1234"
	return r
}
