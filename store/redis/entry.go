package redis

import (
	"encoding/binary"
	"fmt"
	"math"

	"github.com/lanyard-go/lanyard"
)

// An entry is stored as the scripts write it: its number in seven bytes, kind,
// generation, three numbers of seven bytes (epoch, at, until), and four texts
// with their lengths before them, those of subject and key in two bytes.

// encodeEntry returns the stored form behind the number, which a script gives.
func encodeEntry(e *lanyard.Entry) (string, error) {
	if err := times(e.At, e.Until); err != nil {
		return "", fmt.Errorf("a feed entry: %w", err)
	}
	if e.Epoch > maxNumber || len(e.Subject) > math.MaxUint16 || len(e.Key) > math.MaxUint16 || len(e.Reason) > math.MaxUint8 {
		return "", fmt.Errorf("a feed entry of kind %d is too large", e.Kind)
	}
	be := binary.BigEndian
	b := be.AppendUint32([]byte{byte(e.Kind)}, e.Generation)
	for _, n := range [...]uint64{e.Epoch, uint64(e.At), uint64(e.Until)} {
		b = append(b, be.AppendUint64(nil, n)[1:]...)
	}
	sid := e.SID.String()
	b = append(append(b, byte(len(sid))), sid...)
	b = append(be.AppendUint16(b, uint16(len(e.Subject))), e.Subject...)
	b = append(be.AppendUint16(b, uint16(len(e.Key))), e.Key...)
	b = append(append(b, byte(len(e.Reason))), e.Reason...)
	return string(b), nil
}

// decodeEntry reads a stored entry and its number.
func decodeEntry(stored string) (seq uint64, e lanyard.Entry, err error) {
	bad := fmt.Errorf("redis: reading the feed: an entry of %d bytes cannot be read", len(stored))
	take := func(n int) (part string) {
		if n > len(stored) {
			n, err = len(stored), bad
		}
		part, stored = stored[:n], stored[n:]
		return part
	}
	integer := func(width int) (n uint64) {
		for _, c := range []byte(take(width)) {
			n = n<<8 | uint64(c)
		}
		return n
	}
	seq = integer(7)
	e.Kind, e.Generation, e.Epoch = lanyard.EntryKind(integer(1)), uint32(integer(4)), integer(7)
	e.At, e.Until = lanyard.Time(integer(7)), lanyard.Time(integer(7))
	if sid := take(int(integer(1))); sid != "" && err == nil {
		if e.SID, err = lanyard.ParseSID(sid); err != nil {
			err = bad
		}
	}
	e.Subject = take(int(integer(2)))
	e.Key = take(int(integer(2)))
	e.Reason = lanyard.Reason(take(int(integer(1))))
	if err == nil && stored != "" {
		err = bad
	}
	return seq, e, err
}
