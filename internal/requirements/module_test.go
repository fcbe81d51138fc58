package requirements

import (
	"go/version"
	"os"
	"path/filepath"
	"regexp"
	"testing"
)

// Earlier versions of net/http let requests past its cross-origin check by
// patterns that only a redirect would reach; csrf follows the one that does not.
//
// req: OPS-9
func TestModuleNeedsAGoWithTheCrossOriginFix(t *testing.T) {
	b, err := os.ReadFile(filepath.Join(root, "go.mod"))
	if err != nil {
		t.Fatal(err)
	}
	m := regexp.MustCompile(`(?m)^go (\S+)$`).FindSubmatch(b)
	if m == nil {
		t.Fatal("go.mod names no version of Go")
	}
	if got := "go" + string(m[1]); version.Compare(got, "go1.25.1") < 0 {
		t.Errorf("go.mod asks for %s, which is older than go1.25.1", got)
	}
}
