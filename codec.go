package lanyard

import (
	"encoding/binary"
	"errors"
	"fmt"
	"strings"
)

// ErrBadRecord is returned when stored bytes are not a record of a version that
// this code knows.
var ErrBadRecord = errors.New("lanyard: stored record cannot be read")

// recordVersion is the first byte of the stored form. A new field gets a new
// version; older ones stay readable.
const recordVersion = 1

// MaxRecordSize bounds the stored form in bytes: application data of 16 KiB
// plus all other fields at their limits.
const MaxRecordSize = 32 << 10

// AppendBinary appends the stored form to b: a fixed layout of integers and
// length-prefixed strings, so that no type is chosen by the data. Version and
// Fenced are not part of it; stores keep the version beside it.
func (r *Record) AppendBinary(b []byte) ([]byte, error) {
	start := len(b)
	b = append(b, recordVersion, byte(r.State), byte(r.Channel), byte(r.Binding))
	b = append(b, r.SID[:]...)
	b = binary.AppendUvarint(b, r.SubjectEpoch)
	b = binary.AppendUvarint(b, r.GlobalEpoch)
	b = binary.AppendUvarint(b, uint64(r.Generation))
	for _, t := range [...]Time{r.CreatedAt, r.AuthTime, r.LastActive, r.IdleExpiresAt, r.ExpiresAt, r.EndedAt} {
		b = binary.BigEndian.AppendUint64(b, uint64(t))
	}
	for _, s := range [...]string{
		r.Subject, r.ClientID, strings.Join(r.Methods, " "), r.Class,
		r.Device.Label, r.Device.UserAgent, r.Device.IP,
		strings.Join(r.Audience, " "), r.Scope, string(r.EndReason), r.EndedBy,
	} {
		b = binary.AppendUvarint(b, uint64(len(s)))
		b = append(b, s...)
	}
	b = binary.AppendUvarint(b, uint64(len(r.Data)))
	b = append(b, r.Data...)

	var parts byte
	if !r.Origin.IsZero() {
		parts |= partOrigin
	}
	if !r.Handle.IsZero() {
		parts |= partHandle
	}
	if r.Refresh != nil {
		parts |= partRefresh
	}
	b = append(b, parts)
	if parts&partOrigin != 0 {
		b = append(b, r.Origin[:]...)
	}
	if parts&partHandle != 0 {
		b = append(b, r.Handle[:]...)
	}
	if f := r.Refresh; f != nil {
		b = binary.AppendUvarint(b, uint64(f.Counter))
		b = append(b, f.Digest[:]...)
		b = append(b, f.Predecessor[:]...)
		b = append(b, f.Nonce[:]...)
		b = binary.BigEndian.AppendUint64(b, uint64(f.RotatedAt))
		b = binary.BigEndian.AppendUint64(b, f.Agent)
		b = append(b, byte(len(f.Range)))
		b = append(b, f.Range...)
		b = append(b, byte(len(f.MovedRange)))
		b = append(b, f.MovedRange...)
		var retried byte
		if f.Retried {
			retried = 1
		}
		b = append(b, retried, f.RetriedRow)
	}
	if len(b)-start > MaxRecordSize {
		return nil, fmt.Errorf("encoding record %s: %d bytes, at most %d", r.SID, len(b)-start, MaxRecordSize)
	}
	return b, nil
}

const (
	partOrigin  = 1 << 0
	partHandle  = 1 << 1
	partRefresh = 1 << 2
)

// DecodeRecord reads the stored form. It takes a string because the record's
// own strings then share its memory, so reading costs one allocation for a
// cookie session. Every error matches [ErrBadRecord].
func DecodeRecord(stored string, version uint64) (*Record, error) {
	if len(stored) == 0 || len(stored) > MaxRecordSize {
		return nil, fmt.Errorf("%w: %d bytes", ErrBadRecord, len(stored))
	}
	if stored[0] != recordVersion {
		return nil, fmt.Errorf("%w: format %d, this program knows %d", ErrBadRecord, stored[0], recordVersion)
	}
	d := decoder{rest: stored[1:]}
	r := &Record{Version: version}
	r.State = State(d.byte())
	r.Channel = Channel(d.byte())
	r.Binding = Binding(d.byte())
	copy(r.SID[:], d.take(len(r.SID)))
	r.SubjectEpoch = d.uvarint()
	r.GlobalEpoch = d.uvarint()
	r.Generation = uint32(d.uvarint())
	r.CreatedAt, r.AuthTime, r.LastActive = d.time(), d.time(), d.time()
	r.IdleExpiresAt, r.ExpiresAt, r.EndedAt = d.time(), d.time(), d.time()
	r.Subject, r.ClientID = d.string(), d.string()
	r.Methods = words(d.string())
	r.Class = d.string()
	r.Device.Label, r.Device.UserAgent, r.Device.IP = d.string(), d.string(), d.string()
	r.Audience = words(d.string())
	r.Scope = d.string()
	r.EndReason, r.EndedBy = Reason(d.string()), d.string()
	if data := d.string(); data != "" {
		r.Data = []byte(data)
	}
	parts := d.byte()
	if parts&partOrigin != 0 {
		copy(r.Origin[:], d.take(len(r.Origin)))
	}
	if parts&partHandle != 0 {
		copy(r.Handle[:], d.take(len(r.Handle)))
	}
	if parts&partRefresh != 0 {
		f := &Refresh{Counter: uint32(d.uvarint())}
		copy(f.Digest[:], d.take(len(f.Digest)))
		copy(f.Predecessor[:], d.take(len(f.Predecessor)))
		copy(f.Nonce[:], d.take(len(f.Nonce)))
		f.RotatedAt = d.time()
		f.Agent = d.uint64()
		f.Range = d.take(int(d.byte()))
		f.MovedRange = d.take(int(d.byte()))
		f.Retried = d.byte() == 1
		f.RetriedRow = d.byte()
		r.Refresh = f
	}
	if d.bad || d.rest != "" || parts&^(partOrigin|partHandle|partRefresh) != 0 {
		return nil, fmt.Errorf("%w: damaged", ErrBadRecord)
	}
	return r, nil
}

func words(s string) []string {
	if s == "" {
		return nil
	}
	return strings.Split(s, " ")
}

// decoder reads fields in order and remembers that one did not fit, so that
// the caller checks once at the end.
type decoder struct {
	rest string
	bad  bool
}

func (d *decoder) take(n int) string {
	if n < 0 || n > len(d.rest) {
		d.bad, d.rest = true, ""
		return ""
	}
	s := d.rest[:n]
	d.rest = d.rest[n:]
	return s
}

func (d *decoder) byte() byte {
	if s := d.take(1); s != "" {
		return s[0]
	}
	return 0
}

func (d *decoder) uint64() uint64 {
	s := d.take(8)
	if len(s) < 8 {
		return 0
	}
	var v uint64
	for i := range 8 {
		v = v<<8 | uint64(s[i])
	}
	return v
}

func (d *decoder) time() Time { return Time(d.uint64()) }

func (d *decoder) uvarint() uint64 {
	var v uint64
	for shift := uint(0); shift < 64; shift += 7 {
		c := d.byte()
		v |= uint64(c&0x7f) << shift
		if c < 0x80 {
			return v
		}
	}
	d.bad = true
	return 0
}

func (d *decoder) string() string {
	n := d.uvarint()
	if n > MaxRecordSize {
		d.bad, d.rest = true, ""
		return ""
	}
	return d.take(int(n))
}
