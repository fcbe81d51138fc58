package jose

import (
	"encoding/asn1"
	"fmt"
	"math/big"
)

// JWS carries r and s as two fixed 32-byte integers (RFC 7518 section 3.4),
// the standard library speaks ASN.1. maxDER is the longest ASN.1 form.
const maxDER = 2 + 2*(2+33)

// appendDER appends the ASN.1 form of a 64-byte signature. Zero and too large
// values keep their value and are refused by the verification itself.
func appendDER(dst, sig []byte) []byte {
	dst = append(dst, 0x30, 0)
	dst = appendInteger(dst, sig[:32])
	dst = appendInteger(dst, sig[32:])
	dst[1] = byte(len(dst) - 2)
	return dst
}

// appendInteger writes the shortest form: no leading zeros, except one where the
// first bit would otherwise make the number negative.
func appendInteger(dst, b []byte) []byte {
	for len(b) > 1 && b[0] == 0 {
		b = b[1:]
	}
	pad := b[0] >> 7
	dst = append(dst, 2, byte(len(b))+pad)
	if pad == 1 {
		dst = append(dst, 0)
	}
	return append(dst, b...)
}

// rawFromDER converts what a crypto.Signer returned. The signer may be a device
// of somebody else's making, so its answer is checked.
func rawFromDER(der []byte) ([]byte, error) {
	var v struct{ R, S *big.Int }
	rest, err := asn1.Unmarshal(der, &v)
	if err != nil || len(rest) != 0 {
		return nil, fmt.Errorf("%w: the signer returned no ASN.1 signature", ErrSignature)
	}
	if v.R.Sign() <= 0 || v.S.Sign() <= 0 || v.R.BitLen() > 256 || v.S.BitLen() > 256 {
		return nil, fmt.Errorf("%w: the signer returned values out of range", ErrSignature)
	}
	raw := make([]byte, 64)
	v.R.FillBytes(raw[:32])
	v.S.FillBytes(raw[32:])
	return raw, nil
}
