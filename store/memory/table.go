package memory

import (
	"encoding/binary"
	"fmt"
	"slices"

	"github.com/lanyard-go/lanyard"
)

// table holds rows in the order of their SIDs. New SIDs are the greatest, so
// adding is appending, the order that lists need comes for free, and a look-up
// among some thousand is as fast as in a map, at half the memory.
type table struct {
	sids []lanyard.SID
	rows []row

	// marks has the first half of every markEvery-th SID, from the first on.
	marks []uint64
}

const markEvery = 16

// row is a record in its stored form. A string is a fraction of the decoded
// record's size, cannot be changed by whoever reads it, and costs the garbage
// collector one pointer.
type row struct {
	stored  string
	version uint64
}

func encode(rec *lanyard.Record) (string, error) {
	var room [512]byte // enough for most, and off the heap
	b, err := rec.AppendBinary(room[:0])
	return string(b), err
}

// decode returns the record with Fenced set as the global epoch says.
func (r row) decode(epoch uint64) (*lanyard.Record, error) {
	rec, err := lanyard.DecodeRecord(r.stored, r.version)
	if err != nil {
		return nil, fmt.Errorf("reading a session: %w", err)
	}
	rec.Fenced = rec.EndReason == "" && rec.GlobalEpoch < epoch
	return rec, nil
}

func (t *table) find(sid lanyard.SID) (at int, ok bool) {
	time, rest := halves(&sid)
	// The marks fit a processor's cache when the SIDs no longer do.
	low, high := 0, len(t.marks)
	for low < high {
		mid := int(uint(low+high) / 2)
		if t.marks[mid] < time {
			low = mid + 1
		} else {
			high = mid
		}
	}
	end := len(t.sids)
	if low < len(t.marks) && t.marks[low] > time { // else it may be anywhere behind
		end = low * markEvery
	}
	low, high = max(0, low-1)*markEvery, end
	for low < high {
		mid := int(uint(low+high) / 2)
		if t, r := halves(&t.sids[mid]); t < time || t == time && r < rest {
			low = mid + 1
		} else {
			high = mid
		}
	}
	return low, low < len(t.sids) && t.sids[low] == sid
}

// mark brings the marks in step after the SIDs from the given one on changed.
func (t *table) mark(from int) {
	t.marks = t.marks[:min(len(t.marks), (from+markEvery-1)/markEvery)]
	for at := len(t.marks) * markEvery; at < len(t.sids); at += markEvery {
		time, _ := halves(&t.sids[at])
		t.marks = append(t.marks, time)
	}
}

// halves returns the SID as two numbers, which compare faster than bytes.
func halves(sid *lanyard.SID) (time, rest uint64) {
	return binary.BigEndian.Uint64(sid[:8]), binary.BigEndian.Uint64(sid[8:])
}

func (t *table) get(sid lanyard.SID) (row, bool) {
	if at, ok := t.find(sid); ok {
		return t.rows[at], true
	}
	return row{}, false
}

// put adds the row or replaces the one with this SID.
func (t *table) put(sid lanyard.SID, r row) {
	at, ok := t.find(sid)
	if ok {
		t.rows[at] = r
		return
	}
	t.sids = slices.Insert(t.sids, at, sid)
	t.rows = slices.Insert(t.rows, at, r)
	t.mark(at)
}

// remove takes out the given rows in one pass, so that the rest moves once.
func (t *table) remove(gone []lanyard.SID) {
	slices.SortFunc(gone, compareSID)
	kept := 0
	for i, sid := range t.sids {
		for len(gone) > 0 && compareSID(gone[0], sid) < 0 {
			gone = gone[1:]
		}
		if len(gone) > 0 && gone[0] == sid {
			continue
		}
		t.sids[kept], t.rows[kept] = sid, t.rows[i]
		kept++
	}
	clear(t.rows[kept:])
	t.sids, t.rows = t.sids[:kept], t.rows[:kept]
	if cap(t.rows) > 4*kept+64 { // give back what a busy hour took
		t.sids, t.rows = slices.Clone(t.sids), slices.Clone(t.rows)
		t.marks = nil
	}
	t.mark(0)
}
