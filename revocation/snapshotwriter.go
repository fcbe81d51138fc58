package revocation

import (
	"crypto/sha256"
	"encoding/binary"
	"hash"
	"io"
	"math"
	"time"
)

// WriteSnapshot writes the entries with what is left of their time at now. All
// that was applied before the call is in it, so the cursor of the head must be
// one that was reached before. Those who apply meanwhile do not wait, however
// slowly w takes it.
func (s *Set) WriteSnapshot(w io.Writer, now time.Duration, head SnapshotHead) error {
	if err := head.check(); err != nil {
		return err
	}
	out := &recordWriter{w: w, sum: sha256.New(), sec: uint32(min(max(now, 0)/time.Second, math.MaxUint32))}
	out.b = append(out.b, snapshotMagic...)
	for _, text := range []string{head.Issuer, head.Instance, head.Cursor} {
		out.b = append(binary.BigEndian.AppendUint16(out.b, uint16(len(text))), text...)
	}
	if epoch := s.global.Load(); epoch > 0 {
		out.b = binary.BigEndian.AppendUint64(append(out.b, byte(KindAll)), epoch)
		out.n++
	}
	for i := range s.sessions {
		if t := s.sessions[i].Load(); t != nil {
			t.all(out.session)
		}
	}
	if t := s.subjects.Load(); t != nil {
		t.all(out.subject)
	}
	if t := s.keys.Load(); t != nil {
		t.all(out.key)
	}
	out.b = binary.BigEndian.AppendUint64(append(out.b, endOfRecords), out.n)
	if !out.flush() {
		return out.err
	}
	_, err := w.Write(out.sum.Sum(nil))
	return err
}

// recordWriter gathers records and writes them in pieces.
type recordWriter struct {
	w   io.Writer
	sum hash.Hash
	sec uint32 // now
	b   []byte
	n   uint64
	err error
}

func (o *recordWriter) flush() bool {
	if o.err == nil {
		o.sum.Write(o.b)
		_, o.err = o.w.Write(o.b)
		o.b = o.b[:0]
	}
	return o.err == nil
}

// end finishes a record and reports whether to go on.
func (o *recordWriter) end(until uint32) bool {
	// A little may have been added by rounding, which no reader would believe.
	o.b = binary.BigEndian.AppendUint32(o.b, min(until-o.sec, uint32(MaxKeep/time.Second)))
	o.n++
	return len(o.b) < 32<<10 || o.flush()
}

func (o *recordWriter) session(s *slot, mark uint64) bool {
	lowest, until := uint32(mark>>32), uint32(mark)
	if until <= o.sec {
		return true
	}
	kind := KindGeneration
	if lowest == whole {
		kind = KindSession
	}
	o.b = append(o.b, byte(kind))
	o.b = binary.BigEndian.AppendUint64(o.b, s.first)
	o.b = binary.BigEndian.AppendUint64(o.b, s.second)
	if kind == KindGeneration {
		o.b = binary.BigEndian.AppendUint32(o.b, lowest)
	}
	return o.end(until)
}

func (o *recordWriter) subject(n *named) bool {
	until := n.until.Load()
	if until <= o.sec {
		return true
	}
	o.b = append(o.b, byte(KindSubject), byte(len(n.name)))
	o.b = append(o.b, n.name...)
	o.b = binary.BigEndian.AppendUint64(o.b, n.lowest.Load())
	return o.end(until)
}

func (o *recordWriter) key(n *named) bool {
	until := n.until.Load()
	if until <= o.sec {
		return true
	}
	o.b = append(o.b, byte(KindKey), byte(len(n.name)))
	o.b = append(o.b, n.name...)
	return o.end(until)
}
