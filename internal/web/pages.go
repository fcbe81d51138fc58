package web

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/url"
	"os"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/a-h/templ"
)

// Config says what the pages are called. The zero value is usable.
type Config struct {
	// ServiceName is shown in the header and in each title. Empty means "lanyard". At most 40 characters, none of them control characters.
	ServiceName string

	// Tabs are sections of the console beside the ones this package has, in order, for pages the caller serves
	// itself.
	Tabs []Tab

	// ReportURI is where browsers send reports of blocked content (CSP report-to and report-uri). It is a path on
	// this server or an https address. Empty means no reports.
	ReportURI string
}

// Tab is one section of the console.
type Tab struct {
	Label string // shown to people
	Path  string // absolute path on this server, such as "/console/lab"
}

// Pages renders the pages. It is immutable after New and safe for concurrent use.
type Pages struct {
	service   string
	tabs      []Tab
	reportURI string
	assets    *assetSet
}

// New prepares the pages. Its errors name the field of cfg that is wrong. It refuses to work while the environment asks templ for
// its development mode.
func New(cfg Config) (*Pages, error) {
	if cfg.ServiceName == "" {
		cfg.ServiceName = "lanyard"
	}
	if utf8.RuneCountInString(cfg.ServiceName) > 40 || strings.ContainsFunc(cfg.ServiceName, unicode.IsControl) {
		return nil, errors.New("web: ServiceName must be at most 40 characters without control characters")
	}
	for _, t := range cfg.Tabs {
		if t.Label == "" || !strings.HasPrefix(t.Path, "/") || strings.HasPrefix(t.Path, "//") {
			return nil, fmt.Errorf("web: Tabs: %q needs a label and an absolute path on this server", t.Label)
		}
	}
	if err := checkReportURI(cfg.ReportURI); err != nil {
		return nil, err
	}
	// In this mode templ reads the text of the pages from the directory for temporary files, where anybody may write.
	if os.Getenv("TEMPL_DEV_MODE") == "true" {
		return nil, errors.New("web: TEMPL_DEV_MODE must not be set where pages are served")
	}
	assets, err := loadAssets()
	if err != nil {
		return nil, err
	}
	return &Pages{
		service:   cfg.ServiceName,
		tabs:      append(consoleTabs(), cfg.Tabs...),
		reportURI: cfg.ReportURI,
		assets:    assets,
	}, nil
}

// checkReportURI keeps a value that would end the directive, or the header, out of the policy.
func checkReportURI(s string) error {
	if s == "" {
		return nil
	}
	u, err := url.Parse(s)
	own := err == nil && u.Host == "" && strings.HasPrefix(s, "/") && !strings.HasPrefix(s, "//")
	if err != nil || strings.ContainsAny(s, " ;,\"\\\t\r\n") || (!own && (u.Scheme != "https" || u.Host == "")) {
		return errors.New("web: ReportURI must be a path on this server or an https address")
	}
	return nil
}

// render writes a page in one piece: one that fails half way leaves nothing behind. A page has nothing to wait for, so there is
// no context to end it early.
func render(w io.Writer, name string, page templ.Component) error {
	var buf bytes.Buffer
	if err := page.Render(context.Background(), &buf); err != nil {
		return fmt.Errorf("rendering %s page: %w", name, err)
	}
	if _, err := buf.WriteTo(w); err != nil {
		return fmt.Errorf("writing %s page: %w", name, err)
	}
	return nil
}
