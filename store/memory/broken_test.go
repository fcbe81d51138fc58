package memory_test

import (
	"context"
	"fmt"
	"runtime"
	"sync"
	"testing"

	"github.com/lanyard-go/lanyard"
	"github.com/lanyard-go/lanyard/store/memory"
	"github.com/lanyard-go/lanyard/store/storetest"
)

var ctx = context.Background()

// broken is a store with all abilities that breaks a promise in the methods that
// are set.
type broken struct {
	*memory.Store
	extras
	create      func(*lanyard.Record, lanyard.Limit) ([]*lanyard.Record, error)
	get         func(lanyard.SID) (*lanyard.Record, error)
	update      func(*lanyard.Record, ...lanyard.Entry) error
	list        func(lanyard.Query) (lanyard.Page, error)
	revoke      func(lanyard.End) (lanyard.Ended, error)
	revocations func(string, int) ([]lanyard.Entry, string, error)
	once        func(string, lanyard.Time, lanyard.Time) (bool, error)
	prune       func(lanyard.Prune) (lanyard.Ended, error)
}

func newBroken(seed func(*broken)) *broken {
	b := &broken{Store: memory.New(), extras: extras{notes: make(map[string]string), bell: make(chan struct{}, 1)}}
	seed(b)
	return b
}

func (b *broken) Create(ctx context.Context, r *lanyard.Record, l lanyard.Limit) ([]*lanyard.Record, error) {
	if b.create != nil {
		return b.create(r, l)
	}
	return b.Store.Create(ctx, r, l)
}

func (b *broken) Get(ctx context.Context, sid lanyard.SID) (*lanyard.Record, error) {
	if b.get != nil {
		return b.get(sid)
	}
	return b.Store.Get(ctx, sid)
}

func (b *broken) Update(ctx context.Context, r *lanyard.Record, announce ...lanyard.Entry) error {
	if b.update != nil {
		return b.update(r, announce...)
	}
	return b.Store.Update(ctx, r, announce...)
}

func (b *broken) List(ctx context.Context, q lanyard.Query) (lanyard.Page, error) {
	if b.list != nil {
		return b.list(q)
	}
	return b.Store.List(ctx, q)
}

func (b *broken) Revoke(ctx context.Context, e lanyard.End) (lanyard.Ended, error) {
	defer b.ring()
	if b.revoke != nil {
		return b.revoke(e)
	}
	return b.Store.Revoke(ctx, e)
}

func (b *broken) Revocations(ctx context.Context, after string, limit int) ([]lanyard.Entry, string, error) {
	if b.revocations != nil {
		return b.revocations(after, limit)
	}
	return b.Store.Revocations(ctx, after, limit)
}

func (b *broken) Once(ctx context.Context, key string, now, until lanyard.Time) (bool, error) {
	if b.once != nil {
		return b.once(key, now, until)
	}
	return b.Store.Once(ctx, key, now, until)
}

func (b *broken) Prune(ctx context.Context, p lanyard.Prune) (lanyard.Ended, error) {
	if b.prune != nil {
		return b.prune(p)
	}
	return b.Store.Prune(ctx, p)
}

// recorder is a testing.TB that remembers what a case says.
type recorder struct {
	testing.TB
	mu   sync.Mutex
	said string // the first complaint
}

func (r *recorder) note(what string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.said == "" {
		r.said = what
	}
}

func (r *recorder) Helper()                   {}
func (r *recorder) Error(args ...any)         { r.note(fmt.Sprint(args...)) }
func (r *recorder) Errorf(f string, a ...any) { r.note(fmt.Sprintf(f, a...)) }
func (r *recorder) Fatal(args ...any)         { r.note(fmt.Sprint(args...)); runtime.Goexit() }
func (r *recorder) Fatalf(f string, a ...any) { r.note(fmt.Sprintf(f, a...)); runtime.Goexit() }

func (r *recorder) Skip(...any) { runtime.Goexit() }

func (r *recorder) Failed() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.said != ""
}

// complaint runs the case on the store and returns what it says first, if
// anything.
func complaint(c storetest.Case, s lanyard.Store) string {
	r := &recorder{}
	done := make(chan struct{})
	go func() {
		defer close(done)
		c.Check(r, s)
	}()
	<-done
	return r.said
}
