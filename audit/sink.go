package audit

import (
	"context"
	"errors"
)

// A Sink takes events.
//
// Record must be safe for concurrent use, must not keep e.Methods or e.Attrs
// after it returns, and returns nil only if the sink has the event. It must
// record even if ctx is already done: a client that hangs up does not undo what
// happened. Record applies the vocabulary to the event and returns an error for
// a name that is not in it.
type Sink interface {
	Record(ctx context.Context, e Event) error
}

// Discard is a [Sink] that keeps nothing. It still refuses events that are not
// in the vocabulary, so that a test with it notices them.
type Discard struct{}

// Record returns an error for an event outside the vocabulary, and otherwise
// nil.
func (Discard) Record(_ context.Context, e Event) error {
	_, err := e.complete()
	return err
}

type multi []Sink

// Multi returns a [Sink] that gives each event to every one of sinks in order.
// A sink that fails does not keep the event from the others; the errors are
// joined. Nil sinks are left out.
func Multi(sinks ...Sink) Sink {
	var m multi
	for _, s := range sinks {
		if s != nil {
			m = append(m, s)
		}
	}
	return m
}

func (m multi) Record(ctx context.Context, e Event) error {
	var errs []error
	for _, s := range m {
		if err := s.Record(ctx, e); err != nil {
			errs = append(errs, err)
		}
	}
	return errors.Join(errs...)
}

type guarded struct {
	sink     Sink
	onError  func(context.Context, Event, error)
	required bool
}

// Required returns a [Sink] over s that reports each failure to onError and then
// returns it, so that the action that caused the event can be refused: no event,
// no action. A nil onError leaves only the returned error.
func Required(s Sink, onError func(context.Context, Event, error)) Sink {
	return guarded{s, onError, true}
}

// BestEffort returns a [Sink] over s that reports each failure to onError and
// then returns nil, so that work continues while s is broken. With a nil onError
// it returns the error all the same: a failure nobody hears of would look like
// silence. onError must not record to s.
func BestEffort(s Sink, onError func(context.Context, Event, error)) Sink {
	return guarded{s, onError, onError == nil}
}

func (g guarded) Record(ctx context.Context, e Event) error {
	err := g.sink.Record(ctx, e)
	if err == nil {
		return nil
	}
	if g.onError != nil {
		g.onError(ctx, e, err)
	}
	if g.required {
		return err
	}
	return nil
}
