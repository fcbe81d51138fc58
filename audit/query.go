package audit

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
)

// Limits on the number of records that [Query] returns.
const (
	DefaultLimit = 100
	MaxLimit     = 10_000
)

// A Filter selects records. An empty text matches everything; the others must be
// equal to the member of the event.
type Filter struct {
	SID     string
	Subject string
	Name    Name
	// After leaves out records up to and including this number.
	After uint64
	// Limit is the largest number of records returned: DefaultLimit if it is
	// zero or negative, never more than MaxLimit.
	Limit int
	// Newest keeps the last records that match instead of the first ones.
	// Without it, After can be moved to the last number received to read on
	// without a gap.
	Newest bool
}

// Query returns the records of the file at path that match, in the order they
// were written, so that the newest is last. It reads what has reached the file;
// see [File.Query] for one that is open. It does not check the chain. A last line
// that is incomplete is left out, any other unreadable line is an error.
func Query(path string, filter Filter) (records []Record, err error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("opening audit file: %w", err)
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	filter = filter.bounded()
	if filter.Newest {
		records, err = newest(f, filter)
	} else if err = seekAfter(f, filter.After); err == nil {
		records, err = query(f, filter)
	}
	if err != nil {
		return nil, fmt.Errorf("reading audit file: %w", err)
	}
	return records, nil
}

// newest reads ever larger parts of the end of the file until one holds enough.
func newest(f *os.File, filter Filter) ([]Record, error) {
	info, err := f.Stat()
	if err != nil {
		return nil, err
	}
	for part := int64(1 << 20); ; part *= 4 {
		start, first := max(0, info.Size()-part), uint64(0)
		if start > 0 {
			if start, first, err = lineFrom(f, start); err != nil {
				return nil, err
			}
			if start < 0 {
				continue
			}
		}
		if _, err := f.Seek(start, io.SeekStart); err != nil {
			return nil, err
		}
		records, err := query(f, filter)
		if err != nil {
			return nil, err
		}
		if start == 0 || first <= filter.After || len(records) == filter.Limit {
			return records, nil
		}
	}
}

// Query hands every recorded event to the operating system and then returns the
// records that match, as the function [Query] does.
func (a *File) Query(filter Filter) ([]Record, error) {
	a.mu.Lock()
	err := ErrClosed
	if a.f != nil {
		err = a.flush()
	}
	a.mu.Unlock()
	if err != nil {
		return nil, fmt.Errorf("writing audit file: %w", err)
	}
	return Query(a.path, filter)
}

func query(r io.Reader, filter Filter) ([]Record, error) {
	needles := filter.needles()
	var records []Record
	lines := newLines(r)
	for {
		line, err := lines.next()
		if err == io.EOF || errors.Is(err, errTorn) {
			return records[max(0, len(records)-filter.Limit):], nil
		}
		if err != nil {
			return nil, err
		}
		seq, _, ok := parseSeq(line)
		if !ok {
			return nil, errors.New("a line has no number")
		}
		if seq <= filter.After || !containsAll(line, needles) {
			continue
		}
		var rec Record
		if err := json.Unmarshal(line, &rec); err != nil {
			return nil, fmt.Errorf("line number %d: %w", seq, err)
		}
		if !filter.matches(rec.Event) {
			continue
		}
		records = append(records, rec)
		switch {
		case len(records) < filter.Limit:
		case !filter.Newest:
			return records, nil
		case len(records) == 2*filter.Limit:
			records = append(records[:0], records[filter.Limit:]...)
		}
	}
}

func (f Filter) bounded() Filter {
	if f.Limit <= 0 {
		f.Limit = DefaultLimit
	}
	f.Limit = min(f.Limit, MaxLimit)
	return f
}

// needles are byte strings that every matching line contains. Lines are only
// decoded if they have them all, which most do not.
func (f Filter) needles() [][]byte {
	var n [][]byte
	if f.SID != "" {
		n = append(n, appendMember(nil, "sid", f.SID, maxSID))
	}
	if f.Subject != "" {
		n = append(n, appendMember(nil, "subject", f.Subject, maxName))
	}
	if f.Name != "" {
		n = append(n, []byte(`,"event":"`+string(f.Name)+`"`))
	}
	return n
}

func containsAll(line []byte, needles [][]byte) bool {
	for _, n := range needles {
		if !bytes.Contains(line, n) {
			return false
		}
	}
	return true
}

// matches is the exact test: an attribute may have the name of a member.
func (f Filter) matches(e Event) bool {
	return (f.SID == "" || e.SID == cut(f.SID, maxSID)) &&
		(f.Subject == "" || e.Subject == cut(f.Subject, maxName)) &&
		(f.Name == "" || e.Name == f.Name)
}
