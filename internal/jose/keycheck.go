package jose

import (
	"crypto/ed25519"
	"crypto/rsa"
	"encoding/hex"
	"fmt"
	"math/big"
	"slices"
)

// Sizes of RSA keys in bits: the least for keys of others and the most, since
// the cost of a verification grows with the square and other libraries take no
// longer ones.
const (
	minRSABits = 2048
	maxRSABits = 4096
)

func checkRSA(pub *rsa.PublicKey) error {
	switch {
	case pub.N.Sign() <= 0 || pub.N.Bit(0) == 0:
		return fmt.Errorf("%w: the RSA modulus is not a positive odd number", ErrKey)
	case pub.N.BitLen() < minRSABits || pub.N.BitLen() > maxRSABits:
		return fmt.Errorf("%w: %d RSA bits, %d to %d are accepted", ErrKey, pub.N.BitLen(), minRSABits, maxRSABits)
	case pub.E <= 1 || pub.E&1 == 0 || pub.E > 1<<31-1:
		return fmt.Errorf("%w: the RSA exponent is not an odd number from 3 to 2^31-1", ErrKey)
	case hasROCA(pub.N):
		return fmt.Errorf("%w: the RSA key was made by a generator with a known flaw (CVE-2017-15361)", ErrKey)
	}
	return nil
}

// rocaPrimes are the small primes of the fingerprint of CVE-2017-15361: moduli
// from the flawed generator are powers of 65537 modulo each of them. Chance
// makes a sound key look so less than once in 2^27.
var rocaPrimes = [...]uint64{
	11, 13, 17, 19, 37, 53, 61, 71, 73, 79, 97, 103, 107, 109, 127, 151, 157,
}

// hasROCA matters for binding keys above all, which browsers keep in the
// security chips that made such keys.
func hasROCA(n *big.Int) bool {
	mod := new(big.Int)
	for _, p := range rocaPrimes {
		r := mod.Mod(n, new(big.Int).SetUint64(p)).Uint64()
		power := uint64(1)
		for power != r {
			if power = power * 65537 % p; power == 1 {
				return false
			}
		}
	}
	return true
}

// The field prime of Curve25519, its curve constant d, and the y coordinates of
// its points of small order, all big-endian.
const (
	primeHex = "7fffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffed"
	curveHex = "52036cee2b6ffe738cc740797779e89800700a4d4141d8ab75eb4dca135978a3"
	order1   = "0000000000000000000000000000000000000000000000000000000000000001"
	order2   = "7fffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffec"
	order4   = "0000000000000000000000000000000000000000000000000000000000000000"
	order8A  = "05fc536d880238b13933c6d305acdfd5f098eff289f4c345b027b2c28f95e826"
	order8B  = "7a03ac9277fdc74ec6cc392cfa53202a0f67100d760b3cba4fd83d3d706a17c7"
)

// checkEd25519 refuses encodings that are not canonical, not on the curve, or of
// small order: under a small-order key a signature can fit many messages, so
// it binds nobody.
func checkEd25519(pub ed25519.PublicKey) error {
	if len(pub) != ed25519.PublicKeySize {
		return fmt.Errorf("%w: %d bytes, an Ed25519 key has %d", ErrKey, len(pub), ed25519.PublicKeySize)
	}
	be := slices.Clone(pub)
	be[31] &= 0x7f // the top bit is the sign of x
	slices.Reverse(be)
	switch text := hex.EncodeToString(be); {
	case text >= primeHex:
		return fmt.Errorf("%w: not the canonical encoding of a point", ErrKey)
	case text == order1, text == order2, text == order4, text == order8A, text == order8B:
		return fmt.Errorf("%w: a point of small order", ErrKey)
	}
	// On the curve, x^2 = (y^2-1) / (d*y^2+1) is a square. The product has the
	// same Jacobi symbol as the quotient and needs no inversion.
	p, one := hexInt(primeHex), big.NewInt(1)
	u := new(big.Int).SetBytes(be)
	u.Mul(u, u).Mod(u, p)
	v := hexInt(curveHex)
	v.Mul(v, u).Add(v, one)
	u.Sub(u, one)
	if big.Jacobi(u.Mul(u, v).Mod(u, p), p) != 1 {
		return fmt.Errorf("%w: the point is not on the curve", ErrKey)
	}
	return nil
}

// hexInt reads a constant of this file.
func hexInt(s string) *big.Int {
	n, _ := new(big.Int).SetString(s, 16)
	return n
}
