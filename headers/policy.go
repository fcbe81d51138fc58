package headers

import (
	"context"
	"crypto/rand"
	"encoding/base64"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
)

// Config loosens the policy where pages need more than their own origin. The
// zero value has files of the own origin, script and style elements with the
// nonce, and nothing else: nothing inline, no eval, no frames on either side.
type Config struct {
	// Sources adds to a directive of the content security policy, such as
	// "img-src": {"https://images.example"}. The directives are connect-src,
	// font-src, form-action, frame-ancestors, frame-src, img-src, manifest-src,
	// media-src, script-src, style-src and worker-src. A source is an origin, which
	// may start with "https://*." or have a path; "data:" and "blob:" are for
	// images, media and fonts only. Keywords that let injected script run are refused.
	Sources map[string][]string

	// TrustedTypes makes the browser refuse text where it would become script, as
	// in innerHTML, unless a policy of the page has made it (W3C Trusted Types). Pages
	// whose script does that stop working.
	TrustedTypes bool

	// ReportURI is where browsers tell of what the policy stopped: a path, or an
	// https URL. Empty: nowhere.
	ReportURI string

	// InsecureReportOnly enforces no content security policy and only reports,
	// to find out what an existing application needs. It needs ReportURI.
	InsecureReportOnly bool
}

// A Policy is what the answers of an application are sent with. It is immutable
// and safe for concurrent use.
type Policy struct {
	field     string    // name of the header
	parts     [3]string // the text around script's nonce and style's
	reporting string
}

// basis is the policy before anything is added, in the order it is written.
// The ones that are marked stay as they are.
var basis = [...]struct {
	directive, sources string
	fixed              bool
}{
	{"default-src", "'none'", true},
	{"script-src", "'self' " + place, false},
	{"style-src", "'self' " + place, false},
	{"img-src", "'self'", false},
	{"font-src", "'self'", false},
	{"connect-src", "'self'", false},
	{"manifest-src", "'self'", false},
	{"media-src", "'self'", false},
	{"worker-src", "'self'", false},
	{"form-action", "'self'", false},
	{"frame-src", "'none'", false},
	{"frame-ancestors", "'none'", false},
	{"base-uri", "'none'", true},
	{"object-src", "'none'", true},
}

// place is where a nonce goes.
const place = "'nonce-*'"

// New returns a Policy, or an error that names the field it cannot accept.
func New(c Config) (*Policy, error) {
	p := &Policy{field: "Content-Security-Policy"}
	var b strings.Builder
	known := map[string]bool{}
	for _, d := range basis {
		sources := d.sources
		if sources != "'none'" || len(c.Sources[d.directive]) == 0 {
			sources = " " + sources
		} else {
			sources = ""
		}
		for _, s := range c.Sources[d.directive] { // of a fixed one, refused below
			if err := source(d.directive, s); err != nil {
				return nil, fmt.Errorf("headers: Sources[%q]: %q: %w", d.directive, s, err)
			}
			sources += " " + s
		}
		b.WriteString(d.directive + sources + "; ")
		known[d.directive] = !d.fixed
	}
	for _, d := range slices.Sorted(maps.Keys(c.Sources)) {
		if !known[d] {
			return nil, fmt.Errorf("headers: Sources[%q]: no directive that can be added to", d)
		}
	}
	if c.TrustedTypes {
		b.WriteString("require-trusted-types-for 'script'; ")
	}
	if c.ReportURI != "" {
		if err := reportable(c.ReportURI); err != nil {
			return nil, fmt.Errorf("headers: ReportURI: %w", err)
		}
		b.WriteString("report-uri " + c.ReportURI + "; report-to csp; ")
		p.reporting = `csp="` + c.ReportURI + `"`
	}
	if c.InsecureReportOnly {
		if c.ReportURI == "" {
			return nil, fmt.Errorf("headers: InsecureReportOnly: nothing is enforced, and without ReportURI nobody learns of it")
		}
		p.field += "-Report-Only"
	}
	p.parts = [3]string(strings.SplitN(strings.TrimSuffix(b.String(), "; "), place, 3))
	return p, nil
}

type nonceKey struct{}

// Handler sets the headers of each answer before next runs, which may replace
// any of them: the policy, Cache-Control: no-store, Referrer-Policy: same-origin,
// X-Content-Type-Options: nosniff, and Cross-Origin-Opener-Policy and
// Cross-Origin-Resource-Policy: same-origin.
//
// Who may keep a page, and for how long, is for its handler to say in
// Cache-Control; what shows who is signed in must not be kept. The referrer goes
// to no other origin. The own one gets it, since with a page that forbids that too
// browsers send "Origin: null" with the page's own forms.
func (p *Policy) Handler(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var raw [16]byte
		rand.Read(raw[:]) // never fails
		nonce := base64.RawURLEncoding.EncodeToString(raw[:])
		own := "'nonce-" + nonce + "'"
		h := w.Header()
		h.Set(p.field, p.parts[0]+own+p.parts[1]+own+p.parts[2])
		if p.reporting != "" {
			h.Set("Reporting-Endpoints", p.reporting)
		}
		h.Set("Cache-Control", "no-store")
		h.Set("Referrer-Policy", "same-origin")
		h.Set("X-Content-Type-Options", "nosniff")
		h.Set("Cross-Origin-Opener-Policy", "same-origin")
		h.Set("Cross-Origin-Resource-Policy", "same-origin")
		next.ServeHTTP(w, r.WithContext(context.WithValue(r.Context(), nonceKey{}, nonce)))
	})
}

// Nonce returns what script and style elements of this answer need as their
// nonce attribute: 22 characters of base64url, new for each request. Outside of a
// [Policy.Handler] it is empty, and such elements do not run.
func Nonce(ctx context.Context) string {
	nonce, _ := ctx.Value(nonceKey{}).(string)
	return nonce
}
