package revocation

import (
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/lanyard-go/lanyard/internal/jose"
)

// Names of the events of a feed.
const (
	EventHello     = "hello"     // the first of each connection: whose feed it is
	EventRevoked   = "revoked"   // entries, in order
	EventHeartbeat = "heartbeat" // nothing new, and the newest cursor
	EventResync    = "resync"    // the last of a connection: the follower has to take a snapshot
)

const (
	// MaxBatch is the number of entries that one event carries at most.
	MaxBatch = 512
	// MaxCursor is the longest cursor, in bytes. A cursor is visible ASCII.
	MaxCursor = 4096
	// maxName is the longest issuer or instance.
	maxName = 1024
)

var (
	// ErrEvent is wrapped by whatever is wrong with an event, on either side.
	ErrEvent = errors.New("revocation: bad event")
	// ErrOrder is wrapped when an event is missing, repeated or out of order.
	ErrOrder = errors.New("revocation: events out of order")
)

// Event is one event of a feed. Which fields have a meaning depends on Name.
type Event struct {
	Name     string
	Cursor   string        // behind the entries; required but for hello and resync; of a hello: see [Hub.ServeStream]
	N        uint64        // place of the event in its connection, from 0
	Issuer   string        // hello and heartbeat
	Instance string        // hello and heartbeat: the sender's random identity
	Bound    time.Duration // hello: whole milliseconds, at least one
	Entries  []Entry       // revoked: 1 to MaxBatch
	Reason   string        // resync: why, may be empty
}

// check reports what is wrong with the event, the number and entries apart.
func (e *Event) check() error {
	if err := checkCursor(e.Cursor); err != nil {
		return err
	}
	named := e.Name == EventHello || e.Name == EventHeartbeat
	switch {
	case named && (e.Issuer == "" || len(e.Issuer) > maxName):
		return fmt.Errorf("%w: issuer: want 1 to %d bytes", ErrEvent, maxName)
	case named && (e.Instance == "" || len(e.Instance) > maxName):
		return fmt.Errorf("%w: instance: want 1 to %d bytes", ErrEvent, maxName)
	case e.Name == EventHello && (e.Bound < time.Millisecond || e.Bound > time.Hour):
		return fmt.Errorf("%w: bound_ms: want a millisecond to an hour", ErrEvent)
	case (e.Name == EventRevoked || e.Name == EventHeartbeat) && e.Cursor == "":
		return fmt.Errorf("%w: %s without id", ErrEvent, e.Name)
	case e.Name == EventRevoked && (len(e.Entries) == 0 || len(e.Entries) > MaxBatch):
		return fmt.Errorf("%w: entries: %d, want 1 to %d", ErrEvent, len(e.Entries), MaxBatch)
	case len(e.Reason) > MaxText:
		return fmt.Errorf("%w: reason: longer than %d bytes", ErrEvent, MaxText)
	}
	return nil
}

// checkCursor refuses what would not survive a line of text or a header field.
func checkCursor(cursor string) error {
	if len(cursor) > MaxCursor {
		return fmt.Errorf("%w: id: longer than %d bytes", ErrEvent, MaxCursor)
	}
	for i := range len(cursor) {
		if c := cursor[i]; c <= ' ' || c > '~' {
			return fmt.Errorf("%w: id: byte %d is not visible ASCII", ErrEvent, i)
		}
	}
	return nil
}

// Frame is an event as it is sent, without its number. It is made once and never
// changed, so that all connections share it.
type Frame []byte

// Frame returns the event in the form of server-sent events (HTML Standard,
// section 9.2). The number of the event is not in it, see [Frame.Append].
func (e *Event) Frame() (Frame, error) {
	if err := e.check(); err != nil {
		return nil, err
	}
	// The number is in a data line of its own before this one. Readers join the
	// two with a line break, which JSON takes for a blank.
	b := []byte("data: ")
	switch e.Name {
	case EventHello, EventHeartbeat:
		b = jose.AppendString(append(b, `"issuer":`...), e.Issuer)
		b = jose.AppendString(append(b, `,"instance":`...), e.Instance)
		if e.Name == EventHello {
			b = strconv.AppendInt(append(b, `,"bound_ms":`...), e.Bound.Milliseconds(), 10)
		}
	case EventRevoked:
		b = append(b, `"entries":[`...)
		for i := range e.Entries {
			if err := e.Entries[i].Check(); err != nil {
				return nil, fmt.Errorf("entry %d: %w", i, err)
			}
			if i > 0 {
				b = append(b, ',')
			}
			b = e.Entries[i].append(b)
		}
		b = append(b, ']')
	case EventResync:
		b = jose.AppendString(append(b, `"reason":`...), e.Reason)
	default:
		return nil, fmt.Errorf("%w: there is no event %q", ErrEvent, e.Name)
	}
	b = append(b, "}\nevent: "...)
	b = append(b, e.Name...)
	if e.Cursor != "" {
		b = append(append(b, "\nid: "...), e.Cursor...)
	}
	return append(b, "\n\n"...), nil
}

// Append appends the frame as the event number n of a connection, counted from 0.
func (f Frame) Append(dst []byte, n uint64) []byte {
	return append(AppendNumber(dst, n), f...)
}

// AppendNumber appends what stands before a [Frame] that is event number n of
// its connection, for those who send the two apart.
func AppendNumber(dst []byte, n uint64) []byte {
	dst = append(dst, `data: {"n":`...)
	dst = strconv.AppendUint(dst, n, 10)
	return append(dst, ",\n"...)
}

// append appends an entry that Check has passed as a JSON object.
func (e *Entry) append(b []byte) []byte {
	b = jose.AppendString(append(b, `{"kind":`...), e.Kind.String())
	switch e.Kind {
	case KindSession, KindGeneration:
		b = jose.AppendString(append(b, `,"sid":`...), e.SID.String())
		if e.Kind == KindGeneration {
			b = strconv.AppendUint(append(b, `,"generation":`...), uint64(e.Generation), 10)
		}
	case KindSubject:
		b = jose.AppendString(append(b, `,"subject":`...), e.Subject)
	case KindKey:
		b = jose.AppendString(append(b, `,"kid":`...), e.Key)
	}
	if e.Kind == KindSubject || e.Kind == KindAll {
		b = strconv.AppendUint(append(b, `,"epoch":`...), e.Epoch, 10)
	}
	if e.Reason != "" {
		b = jose.AppendString(append(b, `,"reason":`...), e.Reason)
	}
	b = strconv.AppendInt(append(b, `,"at":`...), e.At, 10)
	keep := (e.Keep + time.Millisecond - 1).Milliseconds() // never less than was asked for
	return append(strconv.AppendInt(append(b, `,"keep_ms":`...), keep, 10), '}')
}
