package lanyard_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"go/ast"
	"go/parser"
	"go/token"
	"io"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

const module = "github.com/lanyard-go/lanyard"

// listed is what go list says of a package.
type listed struct {
	ImportPath string
	Dir        string
	GoFiles    []string
	Imports    []string
	Deps       []string
}

// name is the package's path inside the module, "." for the root.
func (p *listed) name() string {
	if p.ImportPath == module {
		return "."
	}
	return strings.TrimPrefix(p.ImportPath, module+"/")
}

// packages lists the module, without nested modules and without tests.
func packages(t *testing.T) []listed {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "go", "list", "-e", "-json=ImportPath,Dir,GoFiles,Imports,Deps", "./...")
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("listing the module: %v\n%s", err, &stderr)
	}
	var all []listed
	for dec := json.NewDecoder(bytes.NewReader(out)); ; {
		var p listed
		if err := dec.Decode(&p); errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			t.Fatal(err)
		}
		all = append(all, p)
	}
	if len(all) < 8 {
		t.Fatalf("only %d packages were listed", len(all))
	}
	return all
}

// under reports whether a path inside the module is one of dirs or below one.
func under(name string, dirs ...string) bool {
	return slices.ContainsFunc(dirs, func(dir string) bool { return name == dir || strings.HasPrefix(name, dir+"/") })
}

// application are the folders of the program around the library. Everything
// else is library.
var application = []string{"cmd", "internal/server", "internal/web", "internal/directory", "internal/pgconn", "internal/redisconn", "internal/engines", "internal/linear", "internal/lab", "internal/choose", "examples", "bench"}

// protocol are the packages that know nothing of the root.
var protocol = []string{"token", "dpop", "dbsc", "csrf", "password", "audit", "api", "internal/jose", "internal/cookie"}

// outside returns the imports of p that are neither the standard library's nor
// the module's own.
func outside(p listed) (foreign []string) {
	for _, i := range p.Imports {
		first, _, _ := strings.Cut(i, "/")
		if i != module && !strings.HasPrefix(i, module+"/") && strings.Contains(first, ".") {
			foreign = append(foreign, i)
		}
	}
	return foreign
}

// req: KEY-9
func TestLibraryImportsTheStandardLibraryAlone(t *testing.T) {
	for _, p := range packages(t) {
		if under(p.name(), application...) {
			continue
		}
		for _, i := range outside(p) {
			if p.name() == "password" && strings.HasPrefix(i, "golang.org/x/crypto/") {
				continue
			}
			t.Errorf("%s imports %s", p.name(), i)
		}
	}
}

func TestImportsPointOneWay(t *testing.T) {
	for _, p := range packages(t) {
		for _, dep := range p.Deps {
			if dep != module && !strings.HasPrefix(dep, module+"/") {
				continue
			}
			to := (&listed{ImportPath: dep}).name()
			switch from := p.name(); {
			case under(from, protocol...) && to == ".":
				t.Errorf("%s, a protocol package, depends on the root", from)
			case from == "." && (under(to, application...) || under(to, "store", "revocation", "verifier", "lanyardtest")):
				t.Errorf("the root depends on %s", to)
			case under(from, "verifier") && to != "revocation" && !under(to, "verifier", "token", "dpop", "internal/jose", "internal/consttime"):
				t.Errorf("%s depends on %s; a service that verifies needs tokens and the feed alone", from, to)
			case from == "revocation" && to != from && !under(to, "internal/jose", "internal/consttime"):
				t.Errorf("%s depends on %s; what goes between root and feed is in revocation/publish", from, to)
			case under(from, "store") && under(to, application...):
				t.Errorf("%s depends on %s", from, to)
			case under(from, "store") && !under(from, "store/storetest") && under(to, "store") && to != from:
				t.Errorf("%s depends on %s, another store", from, to)
			case !under(from, application...) && under(to, application...):
				t.Errorf("%s, a library package, depends on %s", from, to)
			case under(to, "internal/lab") && !under(from, "internal/lab", "cmd/lanyard-lab"):
				t.Errorf("%s depends on %s, which is weak on purpose", from, to)
			case under(to, "lanyardtest") && under(from, application...), under(to, "store/storetest") && !under(from, "store/storetest", "internal/linear"):
				t.Errorf("%s depends on %s, which is for tests", from, to)
			}
		}
	}
}

// forbidden are packages that have no place beside secrets.
var forbidden = []string{
	"math/rand", "math/rand/v2", "crypto/md5", "crypto/sha1", "crypto/des", "crypto/rc4", "encoding/gob", "unsafe",
	"github.com/google/uuid", "github.com/gofrs/uuid", "github.com/satori/go.uuid", "github.com/oklog/ulid", "github.com/rs/xid",
}

// req: SID-1, SID-3, KEY-8, KEY-9
// attack: H3
func TestNoWeakOrGuessableSourceIsImported(t *testing.T) {
	for _, p := range packages(t) {
		for _, i := range p.Imports {
			if slices.Contains(forbidden, i) {
				t.Errorf("%s imports %s", p.name(), i)
			}
		}
	}
}

// The clock is the Now field of a configuration, whose default is the only
// mention of time.Now.
//
// req: OPS-12
func TestLibraryReadsNoClockOfItsOwn(t *testing.T) {
	for _, p := range packages(t) {
		if under(p.name(), application...) || under(p.name(), "store/storetest", "lanyardtest") {
			continue
		}
		for _, name := range p.GoFiles {
			fset := token.NewFileSet()
			file, err := parser.ParseFile(fset, filepath.Join(p.Dir, name), nil, parser.SkipObjectResolution)
			if err != nil {
				t.Error(err)
				continue
			}
			for _, pos := range clockReads(file) {
				t.Errorf("%s/%s:%d reads the clock", p.name(), name, fset.Position(pos).Line)
			}
		}
	}
}

// clockReads finds time.Now, time.Since and time.Until, but for the assignment of
// time.Now to something called Now.
func clockReads(file *ast.File) (found []token.Pos) {
	isDefault := map[ast.Node]bool{}
	ast.Inspect(file, func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.AssignStmt:
			for i, value := range n.Rhs {
				if len(n.Lhs) == len(n.Rhs) && calledNow(n.Lhs[i]) {
					isDefault[value] = true
				}
			}
		case *ast.SelectorExpr:
			pkg, ok := n.X.(*ast.Ident)
			if !ok || pkg.Name != "time" || isDefault[n] {
				return true
			}
			switch n.Sel.Name {
			case "Now", "Since", "Until":
				found = append(found, n.Pos())
			}
		}
		return true
	})
	return found
}

func calledNow(e ast.Expr) bool {
	switch e := e.(type) {
	case *ast.SelectorExpr:
		return e.Sel.Name == "Now" || e.Sel.Name == "now"
	case *ast.Ident:
		return e.Name == "now"
	}
	return false
}

// The check above sees what it is for.
func TestClockReadsAreFound(t *testing.T) {
	for src, want := range map[string]int{
		"x := time.Now()":                        1,
		"c.Now = time.Now":                       0,
		"c.Now = func() T { return time.Now() }": 1,
		"f(time.Now)":                            1,
		"d := time.Since(t); _ = d":              1,
		"now := time.Now; _ = now":               0,
	} {
		file, err := parser.ParseFile(token.NewFileSet(), "x.go", "package x\nfunc f() {\n"+src+"\n}", 0)
		if err != nil {
			t.Fatal(err)
		}
		if got := len(clockReads(file)); got != want {
			t.Errorf("%s: %d found, want %d", src, got, want)
		}
	}
}
