package jose

import "fmt"

// Algorithm is the registered name of a signature algorithm.
type Algorithm string

// The closed set of algorithms. EdDSA is the older name of Ed25519 (RFC 9864):
// both belong to the same keys and each verifies what the other names.
const (
	ES256   Algorithm = "ES256"
	Ed25519 Algorithm = "Ed25519"
	EdDSA   Algorithm = "EdDSA"
	RS256   Algorithm = "RS256"
)

// parseAlgorithm compares exactly; names are case-sensitive (RFC 7515 section
// 4.1.1), so "none" in any spelling is just one more unknown name.
func parseAlgorithm(name string) (Algorithm, error) {
	switch a := Algorithm(name); a {
	case ES256, Ed25519, EdDSA, RS256:
		return a, nil
	}
	return "", fmt.Errorf("%w: unknown name", ErrAlgorithm)
}

// canonical maps the two names of Ed25519 to one.
func (a Algorithm) canonical() Algorithm {
	if a == EdDSA {
		return Ed25519
	}
	return a
}

// signatureSize returns the exact length of a signature in bytes, or 0 where
// it depends on the key.
func (a Algorithm) signatureSize() int {
	if a == RS256 {
		return 0
	}
	return 64
}
