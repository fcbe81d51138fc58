package lanyard

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"strings"
)

// ErrBadRecord is returned when stored bytes are not a record of a version that
// this code knows.
var ErrBadRecord = errors.New("lanyard: stored record cannot be read")

// recordVersion is the first byte of the stored form. A new field gets a new
// version; older ones stay readable. One that few records have can be a part
// instead: records without it stay as they were, and older programs refuse those
// that have it.
const recordVersion = 1

// MaxRecordSize bounds the stored form in bytes: application data of 16 KiB
// plus all other fields at their limits.
const MaxRecordSize = 32 << 10

// The stored form is a head of fixed size, then the texts one after another,
// then the parts that some records have:
//
//	version state channel binding parts        5 bytes
//	sid                                       16
//	subject epoch, global epoch               16, big-endian
//	generation                                 4
//	created auth active idle expires ended    48
//	lengths of eleven texts and the data      24, two bytes each
//
// Reading checks the total length once and then only takes slices.
const (
	headSID     = 5
	headEpochs  = headSID + 16
	headTimes   = headEpochs + 16 + 4
	headLengths = headTimes + 6*8
	headLen     = headLengths + 12*2

	partOrigin  = 1 << 0
	partHandle  = 1 << 1
	partRefresh = 1 << 2

	partKey = 1 << 7

	flagPersistent = 1 << 3 // among the parts, with nothing to read

	partStatus = 1 << 4

	refreshLen = 4 + 32 + 32 + 16 + 8 + 8 + 1 + 1 // then two texts of a byte's length
	statusLen  = 16 + 4
)

// AppendBinary appends the stored form to b. No type is chosen by the data.
// Version and Fenced are not part of it; stores keep the version beside it. A
// record that is too large is an error and b is returned unchanged.
func (r *Record) AppendBinary(b []byte) ([]byte, error) {
	start := len(b)
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
	if r.Key != "" {
		parts |= partKey
	}
	if r.Persistent {
		parts |= flagPersistent
	}
	if r.Status != (StatusIndex{}) {
		parts |= partStatus
	}
	be := binary.BigEndian
	b = append(b, recordVersion, byte(r.State), byte(r.Channel), byte(r.Binding), parts)
	b = append(b, r.SID[:]...)
	b = be.AppendUint64(b, r.SubjectEpoch)
	b = be.AppendUint64(b, r.GlobalEpoch)
	b = be.AppendUint32(b, r.Generation)
	for _, t := range [...]Time{r.CreatedAt, r.AuthTime, r.LastActive, r.IdleExpiresAt, r.ExpiresAt, r.EndedAt} {
		b = be.AppendUint64(b, uint64(t))
	}
	texts := [...]string{
		r.Subject, r.ClientID, strings.Join(r.Methods, " "), r.Class,
		r.Device.Label, r.Device.UserAgent, r.Device.IP,
		strings.Join(r.Audience, " "), r.Scope, string(r.EndReason), r.EndedBy,
	}
	size := len(r.Data)
	for _, s := range texts {
		if len(s) > math.MaxUint16 {
			return b[:start], fmt.Errorf("encoding record %s: a text of %d bytes", r.SID, len(s))
		}
		size += len(s)
		b = be.AppendUint16(b, uint16(len(s)))
	}
	if size > MaxRecordSize-headLen-1024 {
		return b[:start], fmt.Errorf("encoding record %s: %d bytes, at most %d", r.SID, size, MaxRecordSize-headLen-1024)
	}
	b = be.AppendUint16(b, uint16(len(r.Data)))
	for _, s := range texts {
		b = append(b, s...)
	}
	b = append(b, r.Data...)
	if parts&partOrigin != 0 {
		b = append(b, r.Origin[:]...)
	}
	if parts&partHandle != 0 {
		b = append(b, r.Handle[:]...)
	}
	if f := r.Refresh; f != nil {
		b = be.AppendUint32(b, f.Counter)
		b = append(b, f.Digest[:]...)
		b = append(b, f.Predecessor[:]...)
		b = append(b, f.Nonce[:]...)
		b = be.AppendUint64(b, uint64(f.RotatedAt))
		b = be.AppendUint64(b, f.Agent)
		var retried byte
		if f.Retried {
			retried = 1
		}
		b = append(b, retried, f.RetriedRow)
		b = append(b, byte(len(f.Range)))
		b = append(b, f.Range...)
		b = append(b, byte(len(f.MovedRange)))
		b = append(b, f.MovedRange...)
	}
	if r.Key != "" {
		if len(r.Key) > math.MaxUint8 {
			return b[:start], fmt.Errorf("encoding record %s: a key's thumbprint of %d bytes", r.SID, len(r.Key))
		}
		b = append(b, byte(len(r.Key)))
		b = append(b, r.Key...)
	}
	if parts&partStatus != 0 {
		b = append(b, r.Status.List[:]...)
		b = be.AppendUint32(b, r.Status.Index)
	}
	return b, nil
}

// DecodeRecord reads the stored form. It takes a string because the record's
// own texts then share its memory, so reading allocates the record and little
// else. Every error matches [ErrBadRecord].
func DecodeRecord(stored string, version uint64) (*Record, error) {
	if len(stored) < headLen || len(stored) > MaxRecordSize {
		return nil, fmt.Errorf("%w: %d bytes", ErrBadRecord, len(stored))
	}
	if stored[0] != recordVersion {
		return nil, fmt.Errorf("%w: format %d, this program knows %d", ErrBadRecord, stored[0], recordVersion)
	}
	// One allocation holds the record and its lists, which mostly have one word.
	both := &struct {
		record  Record
		methods [1]string
		names   [1]string
	}{}
	r := &both.record
	r.Version = version
	head, rest := stored[:headLen], stored[headLen:]
	r.State, r.Channel, r.Binding = State(head[1]), Channel(head[2]), Binding(head[3])
	parts := head[4]
	r.Persistent = parts&flagPersistent != 0
	copy(r.SID[:], head[headSID:])
	r.SubjectEpoch, r.GlobalEpoch = be64(head[headEpochs:]), be64(head[headEpochs+8:])
	r.Generation = be32(head[headEpochs+16:])
	r.CreatedAt, r.AuthTime = Time(be64(head[headTimes:])), Time(be64(head[headTimes+8:]))
	r.LastActive, r.IdleExpiresAt = Time(be64(head[headTimes+16:])), Time(be64(head[headTimes+24:]))
	r.ExpiresAt, r.EndedAt = Time(be64(head[headTimes+32:])), Time(be64(head[headTimes+40:]))

	var texts [12]string
	for i := range texts {
		n := int(head[headLengths+2*i])<<8 | int(head[headLengths+2*i+1])
		if n > len(rest) {
			return nil, fmt.Errorf("%w: damaged", ErrBadRecord)
		}
		texts[i], rest = rest[:n], rest[n:]
	}
	r.Subject, r.ClientID, r.Methods, r.Class = texts[0], texts[1], words(texts[2], &both.methods), texts[3]
	r.Device = Device{Label: texts[4], UserAgent: texts[5], IP: texts[6]}
	r.Audience, r.Scope, r.EndReason, r.EndedBy = words(texts[7], &both.names), texts[8], Reason(texts[9]), texts[10]
	if texts[11] != "" {
		r.Data = []byte(texts[11])
	}
	if !r.decodeParts(parts, rest) {
		return nil, fmt.Errorf("%w: damaged", ErrBadRecord)
	}
	return r, nil
}

// decodeParts reads what not every record has, and reports whether that was all
// there was.
func (r *Record) decodeParts(parts byte, rest string) bool {
	if parts&partOrigin != 0 {
		if len(rest) < len(r.Origin) {
			return false
		}
		rest = rest[copy(r.Origin[:], rest):]
	}
	if parts&partHandle != 0 {
		if len(rest) < len(r.Handle) {
			return false
		}
		rest = rest[copy(r.Handle[:], rest):]
	}
	if parts&partRefresh != 0 {
		if len(rest) < refreshLen {
			return false
		}
		f := &Refresh{Counter: be32(rest)}
		rest = rest[4:]
		rest = rest[copy(f.Digest[:], rest):]
		rest = rest[copy(f.Predecessor[:], rest):]
		rest = rest[copy(f.Nonce[:], rest):]
		f.RotatedAt, f.Agent = Time(be64(rest)), be64(rest[8:])
		f.Retried, f.RetriedRow = rest[16] == 1, rest[17]
		rest = rest[18:]
		var ok bool
		for _, to := range []*string{&f.Range, &f.MovedRange} {
			if *to, rest, ok = shortText(rest); !ok {
				return false
			}
		}
		r.Refresh = f
	}
	if parts&partKey != 0 {
		var ok bool
		if r.Key, rest, ok = shortText(rest); !ok || r.Key == "" {
			return false
		}
	}
	if parts&partStatus != 0 {
		if len(rest) < statusLen {
			return false
		}
		rest = rest[copy(r.Status.List[:], rest):]
		r.Status.Index, rest = be32(rest), rest[4:]
	}
	return rest == "" && parts&^(partOrigin|partHandle|partRefresh|partKey|flagPersistent|partStatus) == 0
}

// shortText takes a text of at most 255 bytes with its length before it.
func shortText(s string) (text, rest string, ok bool) {
	if s == "" || len(s) < 1+int(s[0]) {
		return "", s, false
	}
	return s[1 : 1+int(s[0])], s[1+int(s[0]):], true
}

// words splits a list, into place if it has one word.
func words(s string, place *[1]string) []string {
	switch {
	case s == "":
		return nil
	case strings.IndexByte(s, ' ') < 0:
		place[0] = s
		return place[:]
	}
	return strings.Split(s, " ")
}

func be32(s string) uint32 {
	_ = s[3]
	return uint32(s[3]) | uint32(s[2])<<8 | uint32(s[1])<<16 | uint32(s[0])<<24
}

func be64(s string) uint64 {
	_ = s[7]
	return uint64(s[7]) | uint64(s[6])<<8 | uint64(s[5])<<16 | uint64(s[4])<<24 |
		uint64(s[3])<<32 | uint64(s[2])<<40 | uint64(s[1])<<48 | uint64(s[0])<<56
}
