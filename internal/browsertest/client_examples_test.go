package browsertest

import (
	"bufio"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

func TestThePlainPageOfTheExampleUsesTheModule(t *testing.T) {
	needChromium(t)
	useShop(t)
}

// Where there is no node, or no registry to fetch React and Vite from, the test is
// skipped by name.
func TestTheReactExampleIsBuiltAndUsesTheModule(t *testing.T) {
	needChromium(t)
	for _, name := range []string{"node", "npm"} {
		if _, err := exec.LookPath(name); err != nil {
			missing(t, "%s is not installed (Debian package nodejs or npm, version 20.19 or later)", name)
		}
	}
	// The application takes the module from the tree, so the copy has its shape.
	root := t.TempDir()
	dir := filepath.Join(root, "examples", "react")
	for _, part := range []string{"examples/react", "client/browser"} {
		if err := os.CopyFS(filepath.Join(root, part), os.DirFS(filepath.Join("..", "..", part))); err != nil {
			t.Fatal(err)
		}
	}
	// What somebody built in the tree is not what is tested.
	for _, made := range []string{"node_modules", "dist"} {
		if err := os.RemoveAll(filepath.Join(dir, made)); err != nil {
			t.Fatal(err)
		}
	}
	run := func(name string, args ...string) (string, error) {
		cmd := exec.CommandContext(t.Context(), name, args...)
		cmd.Dir = dir
		cmd.Env = append(os.Environ(), "NO_UPDATE_NOTIFIER=1")
		out, err := cmd.CombinedOutput()
		return string(out), err
	}
	if out, err := run("npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund", "--fetch-retries=1", "--fetch-timeout=20000"); err != nil {
		missing(t, "npm could not fetch React and Vite: %v\n%s", err, out)
	}
	if out, err := run("npm", "run", "build"); err != nil {
		t.Fatalf("vite: %v\n%s", err, out)
	}
	useShop(t, "-pages", filepath.Join(dir, "dist"))
}

// useShop runs examples/page and does in it what a person does: sign in, order,
// look at it in another tab, and sign out.
func useShop(t *testing.T, args ...string) {
	t.Helper()
	program := filepath.Join(t.TempDir(), "page")
	if out, err := exec.CommandContext(t.Context(), "go", "build", "-o", program, "../../examples/page").CombinedOutput(); err != nil {
		t.Fatalf("building the example: %v\n%s", err, out)
	}
	cmd := exec.Command(program, append(args, "-listen", "localhost:0", "-orders", "localhost:0")...)
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	var talk logs
	cmd.Stderr = &talk
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	late := time.AfterFunc(patience, func() { cmd.Process.Kill() })
	t.Cleanup(func() {
		cmd.Process.Kill()
		cmd.Wait()
		if t.Failed() {
			t.Logf("the example said:\n%s", &talk)
		}
	})
	var secret, address string
	for lines := bufio.NewScanner(out); address == "" && lines.Scan(); {
		if s, ok := strings.CutPrefix(lines.Text(), "sign in as ann with "); ok {
			secret = s
		}
		address, _ = strings.CutPrefix(lines.Text(), "ready ")
		if !strings.HasPrefix(address, "http://") {
			address = ""
		}
	}
	late.Stop()
	if secret == "" || address == "" {
		t.Fatal("the example did not start")
	}

	s := &site{t: t, url: address}
	b := s.newTab()
	b.open("/")
	b.until(`document.body.innerText.includes("You are signed out")`)
	b.press("Sign in")
	b.fill("name", "ann")
	b.fill("password", secret)
	b.press("Sign in")
	b.until(`document.body.innerText.includes("Orders of ann")`)
	b.fill("item", "hat")
	b.click("Order")
	b.until(`document.querySelector("li")?.innerText === "hat"`)
	other := b.sibling()
	other.open("/")
	other.until(`document.querySelector("li")?.innerText === "hat"`)
	b.click("Sign out")
	for _, each := range []*tab{b, other} {
		each.until(`document.body.innerText.includes("You are signed out")`)
		each.silentAbout("hat")
	}
	b.open("/")
	b.until(`document.body.innerText.includes("You are signed out")`)
}

// missing skips what cannot run here, and fails where everything has to.
func missing(t *testing.T, format string, args ...any) {
	t.Helper()
	if os.Getenv("CI") == "true" {
		t.Fatalf(format, args...)
	}
	t.Skipf("skipped: "+format, args...)
}
