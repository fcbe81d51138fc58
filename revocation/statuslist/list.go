package statuslist

import (
	"bytes"
	"compress/zlib"
	"errors"
	"fmt"
	"io"

	"github.com/lanyard-go/lanyard/internal/jose"
)

// Values of a status. 3 and 12 to 15 are the application's own; the rest is
// reserved.
const (
	Valid     byte = 0
	Invalid   byte = 1 // revoked
	Suspended byte = 2 // for a time; needs at least two bits
)

// MaxBytes is the longest list, uncompressed: 8 388 608 tokens of one bit.
const MaxBytes = 1 << 20

var (
	// ErrList is wrapped by whatever is wrong with a list or its encoding.
	ErrList = errors.New("statuslist: bad list")
	// ErrIndex means that a list says nothing about a token. Readers refuse such a
	// token.
	ErrIndex = errors.New("statuslist: no such index")
)

// List is the statuses of tokens, each at an index of its own. It is not safe
// for concurrent changes.
type List struct {
	bits int
	b    []byte
}

// New returns a list of at least size tokens that are all valid, with 1, 2, 4 or
// 8 bits for each. The size is rounded up to whole bytes. A list should be so
// large that its address tells nothing about a token.
func New(bits, size int) (*List, error) {
	if err := checkBits(bits); err != nil {
		return nil, err
	}
	if size < 1 || size > MaxBytes/bits*8 {
		return nil, fmt.Errorf("%w: size: want 1 to %d tokens of %d bits", ErrList, MaxBytes/bits*8, bits)
	}
	return &List{bits, make([]byte, (size*bits+7)/8)}, nil
}

func checkBits(bits int) error {
	switch bits {
	case 1, 2, 4, 8:
		return nil
	}
	return fmt.Errorf("%w: bits: %d, want 1, 2, 4 or 8", ErrList, bits)
}

// Bits returns how many bits each token has.
func (l *List) Bits() int { return l.bits }

// Len returns the number of tokens: indices go from 0 to one less.
func (l *List) Len() int { return len(l.b) * 8 / l.bits }

// Set notes a token's status. One that needs more bits is ErrList, an index that
// the list does not have ErrIndex.
func (l *List) Set(index int, status byte) error {
	at, shift, err := l.find(index)
	switch {
	case err != nil:
		return err
	case int(status) >= 1<<l.bits:
		return fmt.Errorf("%w: the status %d does not fit into %d bits", ErrList, status, l.bits)
	}
	l.b[at] = l.b[at]&^(l.mask()<<shift) | status<<shift
	return nil
}

// Get returns a token's status. An index that the list does not have is
// ErrIndex.
func (l *List) Get(index int) (byte, error) {
	at, shift, err := l.find(index)
	if err != nil {
		return 0, err
	}
	return l.b[at] >> shift & l.mask(), nil
}

func (l *List) mask() byte { return byte(1<<l.bits - 1) }

// find returns the byte of an index, and by how far its bits are off the least
// significant end.
func (l *List) find(index int) (at, shift int, err error) {
	if index < 0 || index >= l.Len() {
		return 0, 0, fmt.Errorf("%w: %d of %d", ErrIndex, index, l.Len())
	}
	each := 8 / l.bits
	return index / each, index % each * l.bits, nil
}

// Encode returns the lst member: the bytes in ZLIB format (RFC 1950), in
// base64url.
func (l *List) Encode() string {
	var b bytes.Buffer
	w, _ := zlib.NewWriterLevel(&b, zlib.BestCompression) // a level that exists
	w.Write(l.b)                                          // a buffer takes everything
	w.Close()
	return jose.EncodeBase64(b.Bytes())
}

// Decode reads the members bits and lst. A list that is longer than [MaxBytes]
// when it is uncompressed, cut, or followed by anything else is ErrList.
func Decode(bits int, lst string) (*List, error) {
	if err := checkBits(bits); err != nil {
		return nil, err
	}
	packed, err := jose.DecodeBase64(nil, lst)
	if err != nil {
		return nil, fmt.Errorf("%w: lst: %w", ErrList, err)
	}
	in := bytes.NewReader(packed)
	r, err := zlib.NewReader(in)
	if err != nil {
		return nil, fmt.Errorf("%w: lst: %w", ErrList, err)
	}
	// A few bytes can stand for gigabytes.
	b, err := io.ReadAll(io.LimitReader(r, MaxBytes+1))
	switch {
	case err != nil:
		return nil, fmt.Errorf("%w: lst: %w", ErrList, err)
	case len(b) > MaxBytes:
		return nil, fmt.Errorf("%w: lst: longer than %d bytes", ErrList, MaxBytes)
	case len(b) == 0:
		return nil, fmt.Errorf("%w: lst: empty", ErrList)
	case in.Len() > 0:
		return nil, fmt.Errorf("%w: lst: data behind the end", ErrList)
	}
	return &List{bits, b}, nil
}
