package web

import (
	"bytes"
	"embed"
	"errors"
	"fmt"
	"html/template"
	"io"
	"net/url"
	"strings"
	"unicode"
	"unicode/utf8"
)

//go:embed templates/*.html
var templateFiles embed.FS

// Config says what the pages are called. The zero value is usable.
type Config struct {
	// ServiceName is shown in the header and in each title. Empty means "lanyard". At most 40 characters, none of them control characters.
	ServiceName string

	// Tabs are sections of the console beside the ones this package has, in order, for pages the caller serves
	// itself or with [Pages.ConsoleHealth].
	Tabs []Tab

	// ReportURI is where browsers send reports of blocked content (CSP report-to and report-uri). It is a path on
	// this server or an https address. Empty means no reports.
	ReportURI string
}

// Tab is one section of the console.
type Tab struct {
	Label string // shown to people
	Path  string // absolute path on this server, such as "/console/health"
}

// Pages renders the pages. It is immutable after New and safe for concurrent use.
type Pages struct {
	service   string
	tabs      []Tab
	reportURI string
	assets    *assetSet
	byName    map[string]*template.Template
}

// New parses the embedded templates. Its errors name the field of cfg that is wrong.
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
	assets, err := loadAssets()
	if err != nil {
		return nil, err
	}
	p := &Pages{
		service:   cfg.ServiceName,
		tabs:      append(consoleTabs(), cfg.Tabs...),
		reportURI: cfg.ReportURI,
		assets:    assets,
		byName:    make(map[string]*template.Template),
	}
	if err := p.parse(); err != nil {
		return nil, err
	}
	return p, nil
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

// parse builds one template set per page: the shared parts plus the page's own "title" and "body".
func (p *Pages) parse() error {
	base, err := template.New("").Funcs(p.funcs()).ParseFS(templateFiles, "templates/layout.html", "templates/parts.html", "templates/icons.html")
	if err != nil {
		return fmt.Errorf("parsing shared templates: %w", err)
	}
	entries, err := templateFiles.ReadDir("templates")
	if err != nil {
		return fmt.Errorf("reading templates: %w", err)
	}
	for _, e := range entries {
		name := strings.TrimSuffix(e.Name(), ".html")
		if name == "layout" || name == "parts" || name == "icons" {
			continue
		}
		set, err := base.Clone()
		if err == nil {
			set, err = set.ParseFS(templateFiles, "templates/"+e.Name())
		}
		if err != nil {
			return fmt.Errorf("parsing page %s: %w", name, err)
		}
		p.byName[name] = set
	}
	return nil
}

// render writes a page in one piece: a template that fails half way leaves nothing behind.
func (p *Pages) render(w io.Writer, name string, view any) error {
	var buf bytes.Buffer
	if err := p.byName[name].ExecuteTemplate(&buf, "layout", view); err != nil {
		return fmt.Errorf("rendering page %s: %w", name, err)
	}
	if _, err := buf.WriteTo(w); err != nil {
		return fmt.Errorf("writing page %s: %w", name, err)
	}
	return nil
}
