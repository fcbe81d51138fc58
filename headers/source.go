package headers

import (
	"errors"
	"net/url"
	"strings"
)

// source reports what is wrong with a source of a directive. The grammar is
// narrower than that of CSP (section 2.3.1): what is not needed to name an origin
// has no way in, least of all what ends a directive or a header.
func source(directive, s string) error {
	switch s {
	case "'unsafe-inline'", "'unsafe-eval'", "'unsafe-hashes'", "'wasm-unsafe-eval'", "'strict-dynamic'":
		return errors.New("lets script in that the page did not bring")
	case "data:", "blob:":
		if directive == "img-src" || directive == "media-src" || directive == "font-src" {
			return nil
		}
		return errors.New("for images, media and fonts only")
	case "'self'":
		if directive == "frame-src" || directive == "frame-ancestors" {
			return nil
		}
		return errors.New("there already")
	}
	scheme, rest, ok := strings.Cut(s, "://")
	if !ok || scheme != "https" && scheme != "wss" && scheme != "http" && scheme != "ws" {
		return errors.New("not an origin such as https://images.example")
	}
	host, path, _ := strings.Cut(rest, "/")
	if host = strings.TrimPrefix(host, "*."); host == "" || path != "" && directive == "frame-ancestors" {
		return errors.New("not an origin such as https://images.example")
	}
	for i := range len(rest) {
		if c := rest[i]; c <= ' ' || c >= 0x7f || strings.IndexByte(`;,'"\?#@`, c) >= 0 {
			return errors.New("has a byte that no origin has")
		}
	}
	u, err := url.Parse(scheme + "://" + host)
	if err != nil || u.Host != strings.ToLower(host) || strings.Contains(host, "*") {
		return errors.New("not an origin such as https://images.example")
	}
	if name := u.Hostname(); (scheme == "http" || scheme == "ws") && name != "localhost" && !strings.HasSuffix(name, ".localhost") {
		return errors.New("plain HTTP is for localhost only")
	}
	return nil
}

// reportable reports what is wrong with a place to report to.
func reportable(uri string) error {
	u, err := url.Parse(uri)
	if err != nil || u.Scheme != "https" && u.Scheme != "" || (u.Host == "") != (u.Scheme == "") || !strings.HasPrefix(u.Path, "/") || u.User != nil || u.Fragment != "" {
		return errors.New("neither a path nor an https URL")
	}
	for i := range len(uri) {
		if c := uri[i]; c <= ' ' || c >= 0x7f || strings.IndexByte(`;,'"\`, c) >= 0 {
			return errors.New("has a byte that would end it in a header")
		}
	}
	return nil
}
