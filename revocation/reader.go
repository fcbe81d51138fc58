package revocation

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
)

// DefaultMaxEvent is the longest event that a reader takes by default, in bytes.
// It fits [MaxBatch] entries of any content.
const DefaultMaxEvent = 2 << 20

// Reader reads the events of one connection. It is strict: an event that is
// malformed, too long, out of order or not what its name says is an error, and
// the connection is to be dropped. It is for one goroutine.
type Reader struct {
	in   *bufio.Reader
	max  int
	line []byte
	cr   bool   // the last line ended in CR, so that a LF belongs to it
	any  bool   // a line was read
	next uint64 // the number of the next event
	err  error
}

// NewReader returns a reader of events of at most maxEvent bytes, zero means
// [DefaultMaxEvent]. A read that takes too long is the caller's to break off.
func NewReader(r io.Reader, maxEvent int) *Reader {
	if maxEvent <= 0 {
		maxEvent = DefaultMaxEvent
	}
	return &Reader{in: bufio.NewReader(r), max: maxEvent}
}

// Next returns the next event. The first is always hello and no other is; numbers
// go up by one from 0. Comments, fields and members that are not known are
// ignored, and so are events with an unknown name, apart from their number.
//
// At the end of the stream the error is [io.EOF] between two events and
// [io.ErrUnexpectedEOF] inside one; what is wrong with an event wraps [ErrEvent],
// with its place also [ErrOrder], with an entry also [ErrEntry]; other errors are
// those of the connection. An error stays: later calls return it too.
//
// The event belongs to the caller. Its strings share memory: whoever keeps one
// for long clones it.
func (r *Reader) Next() (Event, error) {
	for r.err == nil {
		b, err := r.block()
		if err != nil {
			r.err = err
			break
		}
		e, known, err := parseEvent(b, r.next, r.max)
		if err != nil {
			r.err = err
			break
		}
		r.next++
		if known {
			return e, nil
		}
	}
	return Event{}, r.err
}

// block is the fields of one event.
type block struct {
	name, id       string
	hasName, hasID bool
	hasData        bool
	data           []byte
}

// block reads lines up to an empty one behind some data (HTML Standard, section
// 9.2.6). A field that no event has twice is refused when it comes twice: two
// readers might take different ones.
func (r *Reader) block() (*block, error) {
	var b block
	for size := 0; ; {
		line, err := r.readLine()
		if err != nil {
			if err == io.EOF && size > 0 {
				err = io.ErrUnexpectedEOF
			}
			return nil, err
		}
		if len(line) == 0 {
			if b.hasData {
				return &b, nil
			}
			b, size = block{}, 0 // nothing to dispatch
			continue
		}
		if line[0] == ':' {
			continue
		}
		if size += len(line); size > r.max {
			return nil, fmt.Errorf("%w: longer than %d bytes", ErrEvent, r.max)
		}
		field, value, _ := bytes.Cut(line, []byte{':'})
		value = bytes.TrimPrefix(value, []byte{' '})
		twice := false
		switch string(field) {
		case "data":
			if b.hasData {
				b.data = append(b.data, '\n')
			}
			b.hasData = true
			b.data = append(b.data, value...)
		case "event":
			twice, b.hasName, b.name = b.hasName, true, string(value)
		case "id":
			twice, b.hasID, b.id = b.hasID, true, string(value)
		}
		if twice {
			return nil, fmt.Errorf("%w: the field %s occurs twice", ErrEvent, field)
		}
	}
}

// readLine returns the next line without its end, which is CR, LF or both. It is
// valid until the next call.
func (r *Reader) readLine() ([]byte, error) {
	r.line = r.line[:0]
	for {
		c, err := r.in.ReadByte()
		if err != nil {
			if err == io.EOF && len(r.line) > 0 {
				err = io.ErrUnexpectedEOF
			}
			return nil, err
		}
		behindCR := r.cr
		r.cr = c == '\r'
		switch {
		case c == '\n' && behindCR:
			continue
		case c == '\n' || c == '\r':
			line := r.line
			if !r.any {
				r.any = true
				line = bytes.TrimPrefix(line, []byte("\ufeff"))
			}
			return line, nil
		case len(r.line) == r.max:
			return nil, fmt.Errorf("%w: a line longer than %d bytes", ErrEvent, r.max)
		}
		r.line = append(r.line, c)
	}
}
