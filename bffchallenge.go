package lanyard

import (
	"strconv"
	"strings"
	"time"
)

// challenge is what a service says of the token it refuses (RFC 6750 section 3,
// RFC 9470 section 3).
type challenge struct {
	err     string
	maxAge  time.Duration
	classes []string
}

// parseChallenge reads the single Bearer challenge of an answer. Several, or one
// that breaks off, are none.
func parseChallenge(fields []string) (c challenge, ok bool) {
	if len(fields) != 1 {
		return c, false
	}
	scheme, rest, _ := strings.Cut(strings.TrimSpace(fields[0]), " ")
	if !strings.EqualFold(scheme, "Bearer") {
		return c, false
	}
	for rest = strings.TrimLeft(rest, " ,\t"); rest != ""; rest = strings.TrimLeft(rest, " ,\t") {
		name, after, found := strings.Cut(rest, "=")
		if !found {
			return challenge{}, false
		}
		var value string
		if quoted, isQuoted := strings.CutPrefix(after, `"`); isQuoted {
			if value, rest, found = strings.Cut(quoted, `"`); !found || strings.Contains(value, `\`) {
				return challenge{}, false
			}
		} else {
			end := strings.IndexAny(after, ", \t")
			if end < 0 {
				end = len(after)
			}
			value, rest = after[:end], after[end:]
		}
		switch strings.ToLower(name) {
		case "error":
			c.err = value
		case "acr_values":
			c.classes = strings.Fields(value)
		case "max_age":
			seconds, err := strconv.ParseInt(value, 10, 32)
			if err != nil || seconds < 0 {
				return challenge{}, false
			}
			c.maxAge = time.Duration(seconds) * time.Second
		}
	}
	return c, true
}
