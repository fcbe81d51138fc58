package verifier

import (
	"errors"
	"net/netip"
	"net/url"
	"strings"
)

const (
	metadataPath = "/.well-known/oauth-authorization-server"

	// ResourceMetadataPath is where a service without a path of its own serves
	// [Verifier.ResourceMetadata] (RFC 9728 section 3).
	ResourceMetadataPath = "/.well-known/oauth-protected-resource"
)

// parseAddress reads an absolute https URL. Plain http is for this machine
// alone, where nobody listens in.
func parseAddress(text string) (*url.URL, error) {
	u, err := url.Parse(text)
	switch {
	case err != nil:
		return nil, errors.New("not a URL")
	case u.Host == "" || u.Hostname() == "" || u.Opaque != "":
		return nil, errors.New("not an absolute URL")
	case u.User != nil:
		return nil, errors.New("a URL with a user name or password in it")
	case u.Fragment != "" || strings.Contains(text, "#"):
		return nil, errors.New("a URL with a fragment")
	case u.Scheme == "https":
		return u, nil
	case u.Scheme != "http":
		return nil, errors.New("not an https URL")
	case !isLoopback(u.Hostname()):
		return nil, errors.New("plain http is for this machine only; it has to be https")
	}
	return u, nil
}

func isLoopback(host string) bool {
	if host == "localhost" {
		return true
	}
	addr, err := netip.ParseAddr(host)
	return err == nil && addr.Unmap().IsLoopback()
}

// sameOrigin reports whether two addresses have scheme, host and port in common.
func sameOrigin(a, b *url.URL) bool {
	return a.Scheme == b.Scheme && strings.EqualFold(a.Hostname(), b.Hostname()) && port(a) == port(b)
}

func port(u *url.URL) string {
	switch {
	case u.Port() != "":
		return u.Port()
	case u.Scheme == "https":
		return "443"
	}
	return "80"
}

// insertWellKnown puts a well-known path between host and path of an identifier,
// as RFC 8414 section 3.1 and RFC 9728 section 3.1 say.
func insertWellKnown(identifier, path string) (string, error) {
	u, err := parseAddress(identifier)
	if err != nil {
		return "", err
	}
	if u.RawQuery != "" || u.ForceQuery {
		return "", errors.New("a URL with a query")
	}
	return u.Scheme + "://" + u.Host + path + strings.TrimSuffix(u.EscapedPath(), "/"), nil
}

// resourceMetadataURL is where the metadata of a service are.
func resourceMetadataURL(resource string) (string, error) {
	return insertWellKnown(resource, ResourceMetadataPath)
}
