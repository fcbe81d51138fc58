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
		d := within(parent, time.Second)
		time.Sleep(time.Hour) // nobody waits yet
		if d.Err() != nil || d.Value(key{}) != "value" {
			t.Errorf("before anybody waits: %v, %v", d.Err(), d.Value(key{}))
		}
		if at, ok := d.Deadline(); !ok || time.Until(at) != time.Second {
			t.Errorf("ends at %v, %v", at, ok)
		}
		time.Sleep(time.Second - time.Nanosecond)
		if synctest.Wait(); d.Err() != nil || d.Value(key{}) != "value" {
			t.Errorf("before its time: %v, %v", d.Err(), d.Value(key{}))
		}
		time.Sleep(time.Nanosecond)
		if synctest.Wait(); !errors.Is(d.Err(), context.DeadlineExceeded) {
			t.Errorf("after its time: %v", d.Err())
		}
		<-d.Done()
		d.end()

		// One that is derived from it ends with it, and after end nothing is left
		// that the end of this test would miss.
		d = within(parent, time.Second)
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
		d = within(short, time.Second)
		if at, _ := d.Deadline(); time.Until(at) != time.Millisecond {
			t.Errorf("ends %v from now, its parent in a millisecond", time.Until(at))
		}
		d.end()

		d = within(parent, time.Hour)
		cancel()
		if !errors.Is(d.Err(), context.Canceled) {
			t.Errorf("after its parent: %v", d.Err())
		}
		<-d.Done()
		d.end()
	})
}
