package redis

import (
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"strings"

	"github.com/lanyard-go/lanyard"
)

// keys are the names of a partition's keys. They share a hash tag, so one slot
// of a Cluster holds them all. They are made of the prefix, SIDs and digests,
// and of nothing that a stranger chose.
type keys string

func keysOf(prefix string, part int) keys { return keys(fmt.Sprintf("%s:{%02d}:", prefix, part)) }

func (k keys) meta() string                  { return string(k) + "m" }
func (k keys) epoch() string                 { return string(k) + "g" }
func (k keys) record(sid lanyard.SID) string { return string(k) + "r:" + sid.String() }
func (k keys) all() string                   { return string(k) + "a" }
func (k keys) due() string                   { return string(k) + "d" }
func (k keys) once(digest string) string     { return string(k) + "k:" + digest }

// wellFormed reports whether the prefix makes names that need no quoting
// anywhere, patterns of access lists included.
func wellFormed(prefix string) bool {
	return prefix != "" && len(prefix) <= 32 && strings.Trim(prefix, "abcdefghijklmnopqrstuvwxyz0123456789-_.:") == ""
}

// digest stands for a text in a name: 22 characters, 128 bits of SHA-256.
func digest(text string) string {
	if text == "" {
		return ""
	}
	sum := sha256.Sum256([]byte(text))
	return base64.RawURLEncoding.EncodeToString(sum[:16])
}

// partitionOf spreads texts that have no SID over the partitions.
func partitionOf(text string) int {
	sum := sha256.Sum256([]byte(text))
	return int(sum[31]) % lanyard.Partitions
}
