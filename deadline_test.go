package lanyard

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"
)

func TestDeadlineEndsAsAContextWithTimeoutDoes(t *testing.T) {
	type key struct{}
	synctest.Test(t, func(t *testing.T) {
		parent, cancel := context.WithCancel(context.WithValue(t.Context(), key{}, "value"))
		defer cancel()
		for _, waited := range []bool{false, true} {
			d := within(parent, time.Second)
			if waited {
				d.Done()
			}
			if at, ok := d.Deadline(); !ok || time.Until(at) != time.Second {
				t.Errorf("ends at %v, %v", at, ok)
			}
			if d.Err() != nil || d.Value(key{}) != "value" {
				t.Errorf("before its time: %v, %v", d.Err(), d.Value(key{}))
			}
			time.Sleep(time.Second)
			synctest.Wait()
			if !errors.Is(d.Err(), context.DeadlineExceeded) {
				t.Errorf("after its time, waited for %v: %v", waited, d.Err())
			}
			<-d.Done()
			d.end()
		}

		// One that is derived from it ends with it, and after end nothing is left
		// that the end of this test would miss.
		d := within(parent, time.Second)
		child, stop := context.WithCancel(d)
		defer stop()
		time.Sleep(time.Second)
		<-child.Done()
		d.end()

		d = within(parent, time.Second)
		done := d.Done()
		d.end()
		<-done

		short, stop := context.WithTimeout(parent, time.Millisecond)
		defer stop()
		if d = within(short, time.Second); d.at != func() time.Time { at, _ := short.Deadline(); return at }() {
			t.Error("later than its parent's")
		}

		d = within(parent, time.Hour)
		cancel()
		if !errors.Is(d.Err(), context.Canceled) {
			t.Errorf("after its parent: %v", d.Err())
		}
		<-d.Done()
		d.end()
	})
}
