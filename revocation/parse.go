package revocation

import (
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/lanyard-go/lanyard/internal/jose"
)

// Members that have a meaning. Those that do not are ignored, so that later
// versions can say more.
var (
	eventMembers = []string{"n", "issuer", "instance", "bound_ms", "entries", "reason"}
	entryMembers = []string{"kind", "sid", "generation", "subject", "epoch", "kid", "reason", "at", "keep_ms"}
)

// parseEvent reads the fields of event number next of its connection. Known is
// false for an event that is to be ignored.
func parseEvent(b *block, next uint64, maxSize int) (e Event, known bool, err error) {
	members, err := jose.ParseObject(nil, string(b.data), jose.Limits{Bytes: maxSize, Members: maxSize})
	if err != nil {
		return Event{}, false, fmt.Errorf("%w: data: %w", ErrEvent, err)
	}
	e = Event{Name: b.name, Cursor: b.id}
	numbered := false
	for _, m := range members {
		if m.Name == "n" {
			e.N, numbered = m.Value.Uint(64)
		}
	}
	switch {
	case !numbered:
		return Event{}, false, fmt.Errorf("%w: n: no number", ErrEvent)
	case e.N != next:
		return Event{}, false, fmt.Errorf("%w: %w: n: %d, want %d", ErrEvent, ErrOrder, e.N, next)
	case (e.Name == EventHello) != (e.N == 0):
		return Event{}, false, fmt.Errorf("%w: %w: n: %d with the name %.40q; hello comes first and once", ErrEvent, ErrOrder, e.N, e.Name)
	}
	switch e.Name {
	case EventHello, EventRevoked, EventHeartbeat, EventResync:
	default:
		return Event{}, false, nil
	}
	for _, m := range members {
		if err := e.set(m); err != nil {
			return Event{}, false, fmt.Errorf("%w: %s: %w", ErrEvent, e.Name, err)
		}
	}
	return e, true, e.check()
}

// set takes over a member of an event with a known name. A member of another
// event is refused: its sender may have meant something that is lost here.
func (e *Event) set(m jose.Member) error {
	ok := true
	named := e.Name == EventHello || e.Name == EventHeartbeat
	switch {
	case m.Name == "n": // was read before
	case m.Name == "issuer" && named:
		e.Issuer, ok = m.Value.Str()
	case m.Name == "instance" && named:
		e.Instance, ok = m.Value.Str()
	case m.Name == "bound_ms" && e.Name == EventHello:
		e.Bound, ok = milliseconds(m.Value)
	case m.Name == "reason" && e.Name == EventResync:
		e.Reason, ok = m.Value.Str()
	case m.Name == "entries" && e.Name == EventRevoked:
		var err error
		if e.Entries, err = parseEntries(m.Value); err != nil {
			return err
		}
	case slices.Contains(eventMembers, m.Name) || jose.Folds(m.Name, eventMembers):
		return fmt.Errorf("%s has no place there", m.Name)
	}
	if !ok {
		return fmt.Errorf("%s: of the wrong type", m.Name)
	}
	return nil
}

func parseEntries(v jose.Value) ([]Entry, error) {
	items, ok := v.Items()
	if !ok {
		return nil, errors.New("entries: not an array")
	}
	if len(items) > MaxBatch {
		return nil, fmt.Errorf("entries: %d, want 1 to %d", len(items), MaxBatch)
	}
	entries := make([]Entry, len(items))
	for i, item := range items {
		if err := entries[i].parse(item); err != nil {
			return nil, fmt.Errorf("entry %d: %w", i, err)
		}
	}
	return entries, nil
}

// parse reads an entry. A member that has no meaning for the kind is refused.
func (e *Entry) parse(v jose.Value) error {
	members, ok := v.Members()
	if !ok {
		return fmt.Errorf("%w: not an object", ErrEntry)
	}
	has := make([]string, 0, len(entryMembers))
	for _, m := range members {
		if !slices.Contains(entryMembers, m.Name) {
			if jose.Folds(m.Name, entryMembers) {
				return fmt.Errorf("%w: %s: in another letter case", ErrEntry, m.Name)
			}
			continue
		}
		if err := e.set(m); err != nil {
			return fmt.Errorf("%w: %s: %w", ErrEntry, m.Name, err)
		}
		has = append(has, m.Name)
	}
	if err := e.Check(); err != nil {
		return err
	}
	for _, name := range entryMembers {
		needed, allowed := e.Kind.needs(name)
		switch found := slices.Contains(has, name); {
		case needed && !found:
			return fmt.Errorf("%w: %s: missing", ErrEntry, name)
		case found && !allowed:
			return fmt.Errorf("%w: %s: has no place in an entry of the kind %v", ErrEntry, name, e.Kind)
		}
	}
	return nil
}

// needs reports whether an entry must and may have the member.
func (k Kind) needs(member string) (needed, allowed bool) {
	switch member {
	case "sid":
		needed = k == KindSession || k == KindGeneration
	case "generation":
		needed = k == KindGeneration
	case "subject":
		needed = k == KindSubject
	case "epoch":
		needed = k == KindSubject || k == KindAll
	case "kid":
		needed = k == KindKey
	case "reason":
		return false, true
	default:
		needed = true
	}
	return needed, needed
}

func (e *Entry) set(m jose.Member) (err error) {
	var text string
	ok := true
	switch m.Name {
	case "kind":
		text, ok = m.Value.Str()
		if e.Kind = parseKind(text); ok && e.Kind == 0 {
			return fmt.Errorf("%.40q is unknown", text)
		}
	case "sid":
		if text, ok = m.Value.Str(); ok {
			e.SID, err = ParseSID(text)
		}
	case "generation":
		var n uint64
		n, ok = m.Value.Uint(32)
		e.Generation = uint32(n)
	case "subject":
		e.Subject, ok = m.Value.Str()
	case "epoch":
		e.Epoch, ok = m.Value.Uint(64)
	case "kid":
		e.Key, ok = m.Value.Str()
	case "reason":
		e.Reason, ok = m.Value.Str()
	case "at":
		var n uint64
		n, ok = m.Value.Uint(63)
		e.At = int64(n)
	case "keep_ms":
		e.Keep, ok = milliseconds(m.Value)
	}
	if !ok {
		return errors.New("of the wrong type or out of range")
	}
	return err
}

// milliseconds reads a whole number of milliseconds that a Duration can hold.
func milliseconds(v jose.Value) (time.Duration, bool) {
	n, ok := v.Uint(53)
	return time.Duration(n) * time.Millisecond, ok && n <= uint64(1<<63-1)/uint64(time.Millisecond)
}
