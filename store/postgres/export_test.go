package postgres

// Explain is explain, for tests of what it says.
func Explain(err error) error { return explain(err) }

// CheckServer judges a server by what it says about itself.
func CheckServer(version int, encoding string, recovering bool) error {
	s := server{version: version, name: "x", encoding: encoding, isolation: "read committed", recovering: recovering}
	return s.check()
}

// Findings is findings.
func Findings(fsync, commit, pages string) []string { return findings(fsync, commit, pages) }
