package web

import (
	"strings"

	"github.com/mileusna/useragent"
)

// maxUserAgent bounds the work spent on a header a stranger wrote.
const maxUserAgent = 512

// Browser words a User-Agent header for people: "Firefox on Linux", "curl", "lanyard Go client". At most 512 bytes of
// it are looked at, the result is at most 60 characters, and an empty or meaningless header gives "". The header is a claim of the client: good
// for recognising one's own devices, for nothing else.
func Browser(header string) string {
	if len(header) > maxUserAgent {
		header = header[:maxUserAgent]
	}
	header = strings.TrimSpace(header)
	if header == "" {
		return ""
	}
	ua := useragent.Parse(header)
	name := ua.Name
	system := ua.OS
	if ua.Device != "" && (ua.OS == useragent.IOS || ua.OS == useragent.Android) {
		system = ua.Device
	}
	if name == "" {
		return ""
	}
	if system != "" {
		name += " on " + system
	}
	return name
}
