package password

import (
	"errors"
	"fmt"
	"strings"

	"golang.org/x/crypto/bcrypt"
)

const (
	bcryptBytes    = 72 // the algorithm looks at no more of a password
	bcryptAlphabet = "./ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"
)

// bcryptHash is an imported "$2b$10$" hash, whole.
type bcryptHash []byte

func parseBcrypt(encoded string) (bcryptHash, error) {
	if len(encoded) != 60 || encoded[6] != '$' {
		return nil, errors.New("malformed")
	}
	cost := int(encoded[4]-'0')*10 + int(encoded[5]-'0')
	switch {
	case strings.Trim(encoded[4:6], "0123456789") != "":
		return nil, errors.New("cost is not two digits")
	case cost < bcrypt.MinCost:
		return nil, fmt.Errorf("cost %d is under %d", cost, bcrypt.MinCost)
	case cost > maxBcryptCost:
		return nil, fmt.Errorf("cost %d is over the limit of %d", cost, maxBcryptCost)
	case strings.Trim(encoded[7:], bcryptAlphabet) != "":
		return nil, errors.New("salt or tag has a character outside its alphabet")
	}
	return bcryptHash(encoded), nil
}

func (h bcryptHash) matches(pw string) bool {
	// A password over the limit would match by its first 72 bytes alone, so
	// it never matches. The work is done all the same, to take as long.
	long := len(pw) > bcryptBytes
	if long {
		pw = pw[:bcryptBytes]
	}
	err := bcrypt.CompareHashAndPassword(h, []byte(pw))
	return err == nil && !long
}
