package password

import (
	"cmp"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"
)

const (
	// Code points. Anything shorter is in too many innocent passwords.
	leastWord = 3
	leastPart = 4

	gap = "\x00"
)

// contextWord returns the longest word in folded, if folded is too short
// without all such words. It is the whole password that is judged, as NIST SP
// 800-63B-4 section 3.1.1.2 has it, not each word that it contains.
func (p Policy) contextWord(folded string, about []string) string {
	longest, rest := "", folded
	for _, word := range words(p.Words, about) {
		// Something is left in the place of a word, so that the text on its
		// two sides does not join up to look like another.
		next := strings.ReplaceAll(rest, word, gap)
		if next != rest && longest == "" {
			longest = word
		}
		rest = next
	}
	if utf8.RuneCountInString(strings.ReplaceAll(rest, gap, "")) >= p.minLength() {
		return ""
	}
	return longest
}

// words returns what to look for, the longest first: the strings in lower case,
// and their parts between characters that are neither letters nor digits.
func words(lists ...[]string) []string {
	var out []string
	add := func(word string, least int) {
		if utf8.RuneCountInString(word) >= least && !strings.Contains(word, gap) {
			out = append(out, word)
		}
	}
	for _, text := range slices.Concat(lists...) {
		text = strings.ToLower(strings.TrimSpace(text))
		add(text, leastWord)
		for part := range strings.FieldsFuncSeq(text, separator) {
			add(part, leastPart)
		}
	}
	slices.SortFunc(out, func(a, b string) int { return cmp.Compare(len(b), len(a)) })
	return out
}

func separator(r rune) bool { return !unicode.IsLetter(r) && !unicode.IsDigit(r) }
