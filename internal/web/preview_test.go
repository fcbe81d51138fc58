package web

import (
	"bytes"
	"flag"
	"os"
	"path/filepath"
	"testing"
)

var preview = flag.String("preview", "", "write every page in its states, with the assets, to this directory")

// TestPreview renders every state, and with -preview leaves the result as files to be served from the
// directory and looked at.
func TestPreview(t *testing.T) {
	p, err := New(Config{Tabs: []Tab{{"Lab", "/console/lab"}}})
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range states() {
		var buf bytes.Buffer
		if err := s.render(p, &buf); err != nil {
			t.Errorf("%s: %v", s.name, err)
		}
		if *preview == "" {
			continue
		}
		write(t, s.name+".html", buf.Bytes())
	}
	if *preview != "" {
		for name, body := range p.assets.files {
			write(t, filepath.FromSlash(p.AssetURL(name)[1:]), body)
		}
	}
}

func write(t *testing.T, name string, body []byte) {
	t.Helper()
	path := filepath.Join(*preview, name)
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, body, 0o644); err != nil {
		t.Fatal(err)
	}
}
