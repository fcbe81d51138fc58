package browsertest

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/chromedp/chromedp"
)

var screenshots = flag.String("screenshots", "", "write a picture of every page to this directory")

// chromium is the one browser of a test run. Each test has a context of its own
// in it, which shares no cookie with the others.
var chromium struct {
	ctx     context.Context
	missing error
}

func TestMain(m *testing.M) {
	flag.Parse()
	os.Exit(run(m))
}

func run(m *testing.M) int {
	path, err := findChromium()
	if err != nil {
		chromium.missing = err
		return m.Run()
	}
	// Chromium leaves files in its home and temporary directory; these are
	// removed together.
	home, err := os.MkdirTemp("", "chromium-*")
	if err != nil {
		fmt.Fprintln(os.Stderr, "making a home for the browser:", err)
		return 1
	}
	defer removeAll(home)
	options := append(chromedp.DefaultExecAllocatorOptions[:],
		chromedp.ExecPath(path),
		chromedp.UserDataDir(filepath.Join(home, "profile")),
		chromedp.Env("HOME="+home, "TMPDIR="+home, "XDG_CONFIG_HOME="+home, "XDG_CACHE_HOME="+home),
		chromedp.NoSandbox,
		chromedp.DisableGPU,
		chromedp.Flag("headless", "new"),
		chromedp.Flag("disable-quic", true),
		chromedp.Flag("disable-component-update", true),
		// Every name leads to this machine: the tests need names of other
		// sites, and nothing may leave.
		chromedp.Flag("host-resolver-rules", "MAP * 127.0.0.1"),
		chromedp.WindowSize(1280, 900),
		// As a window on a screen says it, without "Headless".
		chromedp.UserAgent("Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/156.0.0.0 Safari/537.36"),
	)
	allocator, cancel := chromedp.NewExecAllocator(context.Background(), options...)
	defer cancel()
	ctx, stop := chromedp.NewContext(allocator)
	defer stop()
	if err := chromedp.Do(ctx); err != nil {
		fmt.Fprintln(os.Stderr, "starting", path+":", err)
		return 1
	}
	chromium.ctx = ctx
	code := m.Run()
	closing, done := context.WithTimeout(ctx, 10*time.Second)
	defer done()
	chromedp.Cancel(closing)
	return code
}

// removeAll tries again while the last of the browser's processes still writes.
func removeAll(dir string) {
	for range 50 {
		if os.RemoveAll(dir) == nil {
			return
		}
		<-time.After(20 * time.Millisecond)
	}
}

func lookForChromium() (string, bool) {
	for _, name := range []string{"chromium", "chromium-browser", "google-chrome", "google-chrome-stable"} {
		if path, err := exec.LookPath(name); err == nil {
			return path, true
		}
	}
	return "", false
}

func findChromium() (string, error) {
	if path, ok := lookForChromium(); ok {
		return path, nil
	}
	apt, err := exec.LookPath("apt-get")
	if err != nil || os.Geteuid() != 0 {
		return "", errors.New("there is no Chromium on this machine; install it, on Debian with: apt-get install chromium")
	}
	for _, args := range [][]string{{"update", "-qq"}, {"install", "-y", "-qq", "--no-install-recommends", "chromium"}} {
		cmd := exec.Command(apt, args...)
		cmd.Env = append(os.Environ(), "DEBIAN_FRONTEND=noninteractive")
		if out, err := cmd.CombinedOutput(); err != nil {
			return "", fmt.Errorf("there is no Chromium, and apt-get %s failed: %w\n%s", args[0], err, out)
		}
	}
	if path, ok := lookForChromium(); ok {
		return path, nil
	}
	return "", errors.New("there is no Chromium, and installing it did not help")
}

// needChromium skips a test without a browser, or fails it where everything has
// to be there.
func needChromium(t *testing.T) {
	t.Helper()
	if chromium.missing == nil {
		return
	}
	if os.Getenv("CI") == "true" {
		t.Fatal(chromium.missing)
	}
	t.Skip("skipped:", chromium.missing)
}
