package storetest

import "strings"

// oddTexts returns texts that mean something to an engine, a shell or a font,
// and pairs that only some comparisons tell apart.
func oddTexts() []string {
	return []string{
		"x' OR '1'='1", `"; DROP TABLE sessions; --`, "`", `\`, `\'`, "%", "_", "$1", "?1", ":sid", "@sid", "/*", "NULL", "0", "-1",
		"a:b{c}*[d]?", "{alice}", "alice}", "{}", "{", "}", ":", "*", "[a-z]", "DEL sess:*", "*3\r\n$3\r\nSET",
		"line\r\nbreak", "tab\there", `\x00`, "%00", "\x7f",
		"alice", "ALICE", " alice", "alice ", "Zoë", "Zoe\u0308", "\u202euser", "ﬁ", "fi", "\U0001f511",
		strings.Repeat("w", 255),
	}
}
