package jose

import (
	"errors"
	"strings"
	"testing"
)

// The examples of RFC 7515 appendix A. All sign the same claims; RFC 7520
// section 4 and its keys come with Wycheproof.
const (
	rfc7515Claims = "eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ"

	rfc7515N = "ofgWCuLjybRlzo0tZWJjNiuSfb4p4fAkd_wWJcyQoTbji9k0l8W26mPddxHmfHQp-Vaw-4qPCJrcS2mJPMEzP1Pt0Bm4d4QlL-yRT-SFd2lZS-pCgNMsD1W_YpRPEwOWvG6b" +
		"32690r2jZ47soMZo9wGzjb_7OMg0LOL-bSf63kpaSHSXndS5z5rexMdbBYUsLA9e-KXBdQOS-UTo7WTBEMa2R2CapHg665xsmtdVMTBQY4uDZlxvb3qCo5ZwKh9kG4LT6_I5IhlJH7aGhyxXFvUK-DWN" +
		"moudF8NAco9_h9iaGNj8q2ethFkMLs91kzk2PAcDTW9gb54h4FRWyuXpoQ"
	rfc7515RSASignature = "cC4hiUPoj9Eetdgtv3hF80EGrhuB__dzERat0XF9g2VtQgr9PJbu3XOiZj5RZmh7AAuHIm4Bh-0Qc_lF5YKt_O8W2Fp5jujGbds9uJdbF9CUAr7t1dnZcAcQjbKBYNX4BAynRFdiuB--f_nZLgrnbyTyWzO75vRK5h6xBArLIARN" +
		"PvkSjtQBMHlb1L07Qe7K0GarZRmB_eSN9383LcOLn6_dO--xi12jzDwusC-eOkHWEsqtFZESc6BfI7noOPqvhJ1phCnvWh6IeYI2w9QOYEUipUTI8np6LbgGY9Fs98rqVt5AXLIhWkWywlVmtVrBp0igcN_IoypGlUPQGe77Rw"

	// RFC 9449 figure 5.
	rfc9449Proof = "eyJ0eXAiOiJkcG9wK2p3dCIsImFsZyI6IkVTMjU2IiwiandrIjp7Imt0eSI6IkVDIiwieCI6Imw4dEZyaHgtMzR0VjNoUklDUkRZOXpDa0RscEJoRjQyVVFVZldWQVdCRnMiLCJ5IjoiOVZFNGpmX09rX282NHpiVFRsY3VOSmFqSG10NnY5VERWclUwQ2R2R1JEQSIsImNydiI6IlAtMjU2In19" +
		".eyJqdGkiOiItQndDM0VTYzZhY2MybFRjIiwiaHRtIjoiUE9TVCIsImh0dSI6Imh0dHBzOi8vc2VydmVyLmV4YW1wbGUuY29tL3Rva2VuIiwiaWF0IjoxNTYyMjYyNjE2fQ" +
		".2-GxA6T8lP4vfrg8v-FdWP0A0zdrj8igiMLvqRMUvwnQg4PtFLbdLXiOSsX0x7NVY-FNyJK70nfbV37xRZT3Lg"
)

// req: JWT-2, JWT-17
func TestExamplesOfRFC7515(t *testing.T) {
	rsaKey := `{"kty":"RSA","e":"AQAB","n":"` + rfc7515N + `"}`
	for _, test := range []struct {
		name, key, raw string
		want           error // nil: it verifies
	}{
		{"A.1, HS256", rfc7515Key, "eyJ0eXAiOiJKV1QiLA0KICJhbGciOiJIUzI1NiJ9." + rfc7515Claims + ".dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk", ErrAlgorithm},
		{"A.2, RS256", rsaKey, "eyJhbGciOiJSUzI1NiJ9." + rfc7515Claims + "." + rfc7515RSASignature, nil},
		{"A.3, ES256", rfc7515Key, rfc7515Token, nil},
		{"A.3, the signature under the key of A.2", rsaKey, rfc7515Token, ErrAlgorithm},
		{"A.5, unsecured", rfc7515Key, "eyJhbGciOiJub25lIn0." + rfc7515Claims + ".", ErrForm},
		{"A.5, unsecured, with a signature", rfc7515Key, "eyJhbGciOiJub25lIn0." + rfc7515Claims + ".AA", ErrAlgorithm},
		{"A.6, the signature of A.3 in general JSON", rfc7515Key, `{"payload":"` + rfc7515Claims + `","signatures":[{"protected":"eyJhbGciOiJFUzI1NiJ9","signature":"` + rfc7515Token[strings.LastIndexByte(rfc7515Token, '.')+1:] + `"}]}`, ErrForm},
		{"A.7, the same in flattened JSON", rfc7515Key, `{"payload":"` + rfc7515Claims + `","protected":"eyJhbGciOiJFUzI1NiJ9","signature":"` + rfc7515Token[strings.LastIndexByte(rfc7515Token, '.')+1:] + `"}`, ErrForm},
	} {
		t.Run(test.name, func(t *testing.T) {
			m, err := Parse(test.raw, 8<<10, anyToken)
			if err == nil {
				_, err = m.Verify(mustKey(t, test.key))
			}
			if !errors.Is(err, test.want) {
				t.Errorf("got %v, want %v", err, test.want)
			}
		})
	}
}

func TestExampleProofOfRFC9449(t *testing.T) {
	m, err := Parse(rfc9449Proof, 8<<10, HeaderPolicy{Type: "dpop+jwt", Key: KeyEmbedded})
	if err != nil {
		t.Fatal(err)
	}
	if got := m.Header.Key.Thumbprint(); got != "0ZcOCORZNYy-DWpqq30jZyJGHTN0d2HglBV3uiguA4I" {
		t.Errorf("the thumbprint of the proof's key is %s", got)
	}
	payload, err := m.Verify(m.Header.Key)
	if err != nil || !strings.Contains(payload, `"htm":"POST"`) {
		t.Errorf("got %q, %v", payload, err)
	}
	// As any other kind of token it is refused.
	if _, err := Parse(rfc9449Proof, 8<<10, HeaderPolicy{Type: "at+jwt", Key: KeyKnown}); err == nil {
		t.Error("it passed as an access token")
	}
}
