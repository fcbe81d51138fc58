package jose

import (
	"encoding/base64"
	"fmt"
)

// strict refuses stray bits in the last character. It still skips line breaks,
// which is why decoding starts with a scan of the alphabet.
var strict = base64.RawURLEncoding.Strict()

// isBase64URL tells which bytes are in the base64url alphabet of RFC 4648
// section 5.
var isBase64URL = func() (t [256]bool) {
	for c := range t {
		t[c] = 'A' <= c && c <= 'Z' || 'a' <= c && c <= 'z' || '0' <= c && c <= '9' || c == '-' || c == '_'
	}
	return t
}()

// DecodeBase64 appends the bytes that text stands for to dst. It accepts only
// the canonical unpadded base64url form, so that no two texts decode alike:
// padding, white space, line breaks, other alphabets and set bits behind the
// last byte are ErrBase64.
func DecodeBase64(dst []byte, text string) ([]byte, error) {
	for i := range len(text) {
		if !isBase64URL[text[i]] {
			return nil, fmt.Errorf("%w: byte %d is outside the alphabet", ErrBase64, i)
		}
	}
	return decodeScanned(dst, text)
}

// decodeScanned is DecodeBase64 for text whose alphabet has been checked.
func decodeScanned(dst []byte, text string) ([]byte, error) {
	out, err := strict.AppendDecode(dst, []byte(text))
	if err != nil {
		return nil, fmt.Errorf("%w: not the canonical spelling", ErrBase64)
	}
	return out, nil
}

// EncodeBase64 returns the unpadded base64url form of b.
func EncodeBase64(b []byte) string {
	return base64.RawURLEncoding.EncodeToString(b)
}
