package jose

import (
	"os"
	"path"
	"slices"
	"testing"
)

// tokenFiles and signatureFiles are the files of Wycheproof that are run.
var (
	tokenFiles = []string{
		"json_web_signature_test.json", "json_web_key_test.json", "json_web_crypto_test.json", "json_web_encryption_test.json",
	}
	signatureFiles = []string{
		"ecdsa_secp256r1_sha256_p1363_test.json", "ed25519_test.json", "rsa_signature_2048_sha256_test.json",
		"rsa_signature_3072_sha256_test.json", "rsa_signature_4096_sha256_test.json",
	}
)

// skippedFiles are all the others, by the first pattern that fits, with the
// reason why nothing here can be checked against them.
var skippedFiles = []struct{ pattern, reason string }{
	{"ecdsa_secp256r1_sha256_test.json", "signatures in ASN.1; a JWS has r and s side by side (RFC 7518 section 3.4)"},
	{"ecdsa_*", "a curve or hash outside ES256"},
	{"ed448_*", "a curve outside the closed set"},
	{"rsa_signature_8192_sha256_test.json", "a key of more than 4096 bits, which is refused"},
	{"rsa_signature_*", "a hash outside RS256"},
	{"rsa_pss_*", "PS256 and its kin are outside the closed set"},
	{"rsa_*", "RSA encryption and making signatures, where only verifying is done"},
	{"dsa_*", "DSA has no JWS algorithm"},
	{"mldsa_*", "ML-DSA is outside the closed set"},
	{"bls_*", "BLS signatures are outside the closed set"},
	{"ec_prime_order_curves_test.json", "parameters of curves; there is one curve here, the standard library's"},
	{"hmac_*", "MACs are outside the closed set, by intent"},
	{"siphash*", "a MAC"}, {"kmac*", "a MAC"}, {"vmac*", "a MAC"},
	{"*_siv_cmac_*", "encryption"}, {"*_cmac_*", "a MAC"}, {"*_gmac_*", "a MAC"},
	{"ecdh_*", "key agreement; no token is decrypted"}, {"x25519_*", "key agreement"}, {"x448_*", "key agreement"},
	{"mlkem_*", "key agreement"},
	{"a???cbc_*", "encryption; no token is decrypted"}, {"aegis*", "encryption"}, {"aes_*", "encryption"},
	{"aria_*", "encryption"}, {"ascon*", "encryption"}, {"camellia_*", "encryption"}, {"*chacha20_*", "encryption"},
	{"c2sp_*", "encryption"}, {"morus*", "encryption"}, {"seed_*", "encryption"}, {"sm4_*", "encryption"},
	{"hkdf_*", "key derivation; tokens have none"}, {"pbes2_*", "key derivation"}, {"pbkdf2_*", "key derivation"},
	{"primality_test.json", "tests of primes; keys of others are not searched for their factors"},
}

func TestWycheproofFilesAreRunOrSkippedForAReason(t *testing.T) {
	entries, err := os.ReadDir(wycheproofDir(t))
	if err != nil {
		t.Fatal(err)
	}
	run := slices.Concat(tokenFiles, signatureFiles)
	found, used := 0, make([]int, len(skippedFiles))
	for _, e := range entries {
		if slices.Contains(run, e.Name()) {
			found++
			continue
		}
		i := slices.IndexFunc(skippedFiles, func(s struct{ pattern, reason string }) bool {
			ok, err := path.Match(s.pattern, e.Name())
			return ok && err == nil
		})
		if i < 0 {
			t.Errorf("%s is neither run nor skipped for a reason", e.Name())
			continue
		}
		used[i]++
	}
	if found != len(run) {
		t.Errorf("%d of the %d files to run are there", found, len(run))
	}
	total := 0
	for i, n := range used {
		if total += n; n == 0 {
			t.Errorf("nothing is skipped by %s any more", skippedFiles[i].pattern)
		}
	}
	t.Logf("%d files are run, %d skipped", found, total)
}

// notForUs are the tokens that Wycheproof calls valid and that are refused here,
// by the algorithm of their key: they are run, but show no more than a refusal.
var notForUs = map[string]struct {
	tokens int
	reason string
}{
	"HS256":          {14, "symmetric: outside the closed set"},
	"HS384":          {1, "symmetric"},
	"HS512":          {1, "symmetric"},
	"RS384":          {4, "one hash for RSA is enough"},
	"RS512":          {4, "one hash for RSA is enough"},
	"PS256":          {8, "outside the closed set"},
	"PS384":          {4, "outside the closed set"},
	"PS512":          {4, "outside the closed set"},
	"ES521":          {2, "a curve outside the closed set, under a name that is not registered"},
	"RS256":          {1, "an empty payload: no JWT has one, and an empty part is refused"},
	"A128KW":         {3, "encrypted"},
	"A192KW":         {1, "encrypted"},
	"A256KW":         {8, "encrypted"},
	"A128GCM":        {1, "encrypted"},
	"A128GCMKW":      {1, "encrypted"},
	"A192GCMKW":      {1, "encrypted"},
	"A256GCMKW":      {4, "encrypted"},
	"ECDH-ES":        {7, "encrypted"},
	"ECDH-ES+A128KW": {13, "encrypted"},
	"ECDH-ES+A192KW": {2, "encrypted"},
	"ECDH-ES+A256KW": {4, "encrypted"},
	"RSA-OAEP":       {7, "encrypted"},
	"RSA-OAEP-256":   {7, "encrypted"},
	"RSA1_5":         {8, "encrypted"},
}

func TestValidWycheproofTokensAreRefusedForAReason(t *testing.T) {
	got := map[string]int{}
	for _, file := range tokenFiles {
		for _, g := range wycheproof(t, file) {
			for _, test := range g.Tests {
				raw := test.JWS
				if raw == nil {
					raw = test.JWE
				}
				if test.Result == "valid" && !acceptsJWS(g.key(), text(raw)) {
					got[g.algorithm(t)]++
				}
			}
		}
	}
	for alg, n := range got {
		if n != notForUs[alg].tokens {
			t.Errorf("%d valid tokens of %s are refused, the list says %d", n, alg, notForUs[alg].tokens)
		}
	}
	for alg, listed := range notForUs {
		if got[alg] == 0 {
			t.Errorf("no token of %s is refused, the list says %d (%s)", alg, listed.tokens, listed.reason)
		}
	}
}

// algorithm is the alg of a group's key, or of the first of its set.
func (g *vectorGroup) algorithm(t *testing.T) string {
	t.Helper()
	members, err := ParseObject(nil, g.key(), Limits{})
	if err != nil {
		t.Fatal(err)
	}
	for _, m := range members {
		switch m.Name {
		case "alg":
			alg, _ := m.Value.Str()
			return alg
		case "keys":
			items, _ := m.Value.Items()
			first, _ := items[0].Members()
			for _, m := range first {
				if m.Name == "alg" {
					alg, _ := m.Value.Str()
					return alg
				}
			}
		}
	}
	t.Fatalf("a group without an algorithm: %s", g.key())
	return ""
}
