package web

import (
	"strings"
	"unicode"

	"github.com/mileusna/useragent"
)

// maxUserAgent bounds the work spent on a header a stranger wrote, maxBrowser what may come out of it.
const (
	maxUserAgent = 512
	maxBrowser   = 60
)

// Browser words a User-Agent header for people: "Firefox on Linux", "Safari on iPhone", "curl", "lanyard Go client". At most 512
// bytes of it are looked at, the result has at most 60 characters, all printable, and a header without meaning gives "". The
// header is a claim of the client: good for recognising one's own devices, and for nothing else.
func Browser(header string) string {
	if len(header) > maxUserAgent {
		header = header[:maxUserAgent]
	}
	ua := useragent.Parse(header)
	if ua.OS == "" {
		return program(header)
	}
	system := ua.OS
	// "K" and the like are what browsers say that keep the model to themselves.
	if (system == useragent.IOS || system == useragent.Android) && len(ua.Device) > 2 {
		system = ua.Device
	}
	return printable(ua.Name + " on " + system)
}

// program words the header of something that is not a browser by its product name (RFC 9110 section 10.1.5).
func program(header string) string {
	name, _, _ := strings.Cut(header, "/")
	name, _, _ = strings.Cut(name, " ")
	if strings.ContainsFunc(name, notTokenChar) || !strings.ContainsFunc(name, unicode.IsLetter) {
		return ""
	}
	switch name {
	case "Mozilla": // every browser says so; one that says no more says nothing
		return ""
	case "lanyard-go", "lanyard-go-client":
		return "lanyard Go client"
	case "Go-http-client":
		return "Go program"
	case "python-requests", "Python-urllib":
		return "Python program"
	default:
		return printable(name)
	}
}

func notTokenChar(r rune) bool {
	return r > unicode.MaxASCII || !unicode.IsLetter(r) && !unicode.IsDigit(r) && !strings.ContainsRune("!#$%&'*+-.^_`|~", r)
}

// printable drops what a page should not show and cuts to maxBrowser characters.
func printable(s string) string {
	out := []rune(strings.Map(func(r rune) rune {
		if r == unicode.ReplacementChar || !unicode.IsPrint(r) {
			return -1
		}
		return r
	}, s))
	return strings.TrimSpace(string(out[:min(len(out), maxBrowser)]))
}
