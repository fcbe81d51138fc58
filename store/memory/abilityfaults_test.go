package memory_test

import (
	"context"
	"errors"
	"slices"
	"strings"
	"time"

	"github.com/lanyard-go/lanyard"
)

// abilityFaults are those of the optional abilities.
var abilityFaults = []fault{
	{"Ping says the store is away", "Ping answers while the store can be reached", func(b *broken) {
		b.ping = func() error { return errors.New("away") }
	}},
	{"Count counts ended records too", "Count counts the live records", func(b *broken) {
		b.count = func() (int, error) {
			page, err := b.Store.List(ctx, lanyard.Query{Limit: 1000})
			return len(page.Records), err
		}
	}},
	{"GlobalEpoch lags behind", "GlobalEpoch returns the highest epoch", func(b *broken) {
		first := true
		var seen uint64
		b.globalEpoch = func() (uint64, error) {
			if first {
				first = false
				var err error
				seen, err = b.Store.GlobalEpoch(ctx)
				return seen, err
			}
			return seen, nil
		}
	}},
	{"GlobalEpoch counts the ends of subjects", "GlobalEpoch returns the highest epoch", func(b *broken) {
		var extra uint64
		b.revoke = func(e lanyard.End) (lanyard.Ended, error) {
			if e.Subject != "" {
				extra++
			}
			return b.Store.Revoke(ctx, e)
		}
		b.globalEpoch = func() (uint64, error) {
			epoch, err := b.Store.GlobalEpoch(ctx)
			return epoch + extra, err
		}
	}},
	{"Watch returns at once", "Watch wakes its caller and ends with its context", func(b *broken) {
		b.watch = func(context.Context, func()) error { return errors.New("not now") }
	}},
	{"Watch ends without a reason", "Watch wakes its caller and ends with its context", func(b *broken) {
		b.watch = func(ctx context.Context, wake func()) error {
			wake()
			<-ctx.Done()
			return nil
		}
	}},
	{"Note lets the last writer win", "Note swaps a value for the one that is noted", func(b *broken) {
		b.note = func(name, _, value string) (string, error) {
			b.mu.Lock()
			defer b.mu.Unlock()
			b.notes[name] = value
			return value, nil
		}
	}},
	{"Note answers with what was asked for", "Note swaps a value for the one that is noted", func(b *broken) {
		b.note = func(name, old, value string) (string, error) {
			b.mu.Lock()
			defer b.mu.Unlock()
			b.swap(name, old, value)
			return value, nil
		}
	}},
	{"Note has one value for all names", "Note swaps a value for the one that is noted", func(b *broken) {
		b.note = func(_, old, value string) (string, error) {
			b.mu.Lock()
			defer b.mu.Unlock()
			return b.swap("", old, value), nil
		}
	}},
	{"Note minds no case in names", "Note keeps every byte of names and values", func(b *broken) {
		b.note = func(name, old, value string) (string, error) {
			b.mu.Lock()
			defer b.mu.Unlock()
			return b.swap(strings.ToLower(name), old, value), nil
		}
	}},
	{"Note cuts long values", "Note keeps every byte of names and values", func(b *broken) {
		b.note = func(name, old, value string) (string, error) {
			b.mu.Lock()
			defer b.mu.Unlock()
			return b.swap(name, old, value[:min(len(value), 500)]), nil
		}
	}},
	{"Note is pruned", "Note outlives the records", func(b *broken) {
		b.prune = func(p lanyard.Prune) (lanyard.Ended, error) {
			b.mu.Lock()
			clear(b.notes)
			b.mu.Unlock()
			return b.Store.Prune(ctx, p)
		}
	}},
	{"Note looks first and writes then", "Note at once has one winner", func(b *broken) {
		b.note = func(name, old, value string) (string, error) {
			b.mu.Lock()
			noted := b.notes[name]
			b.mu.Unlock()
			if noted != old {
				return noted, nil
			}
			pause()
			b.mu.Lock()
			defer b.mu.Unlock()
			b.notes[name] = value
			return value, nil
		}
	}},
	{"Clock stands still in the past", "Clock tells the engine's time", func(b *broken) {
		b.clock = func() (time.Time, error) { return time.Time{}, nil }
	}},
	{"Clock goes backwards", "Clock tells the engine's time", func(b *broken) {
		at := time.Now()
		b.clock = func() (time.Time, error) {
			at = at.Add(-time.Minute)
			return at, nil
		}
	}},
	{"Inspect finds nothing to say in words", "Inspect says what it found in sentences", func(b *broken) {
		b.inspect = func() ([]string, error) { return []string{"appendonly"}, nil }
	}},
	{"Import begins versions anew", "Import stores the records as they are, ended or not", importing(func(r *lanyard.Record) { r.Version = 1 })},
	{"Import revives", "Import stores the records as they are, ended or not", importing(func(r *lanyard.Record) {
		r.EndReason, r.EndedAt, r.EndedBy = "", 0, ""
	})},
	{"Import leaves ended records behind", "Import stores the records as they are, ended or not", func(b *broken) {
		b.imports = func(records []*lanyard.Record, entries []lanyard.Entry) (int, error) {
			live := slices.DeleteFunc(slices.Clone(records), func(r *lanyard.Record) bool { return r.EndReason != "" })
			_, err := b.Store.Import(ctx, live, entries)
			return len(records), err
		}
	}},
	{"Import forgets deadlines", "Import makes records that live on", importing(func(r *lanyard.Record) {
		r.IdleExpiresAt = r.ExpiresAt
	})},
	{"Import cuts what was handed off", "Import keeps what was handed off together", importing(func(r *lanyard.Record) { r.Origin = lanyard.SID{} })},
	{"Import forgets the entries", "Import appends the entries to the feed", func(b *broken) {
		b.imports = func(records []*lanyard.Record, entries []lanyard.Entry) (int, error) {
			n, err := b.Store.Import(ctx, records, nil)
			for _, e := range entries {
				if e.Kind == lanyard.EntryAll || e.Kind == lanyard.EntrySubject {
					return b.Store.Import(ctx, nil, []lanyard.Entry{e})
				}
			}
			return n, err
		}
	}},
	{"Import turns the entries round", "Import appends the entries to the feed", func(b *broken) {
		b.imports = func(records []*lanyard.Record, entries []lanyard.Entry) (int, error) {
			entries = slices.Clone(entries)
			slices.Reverse(entries)
			return b.Store.Import(ctx, records, entries)
		}
	}},
	{"Import keeps the epochs of subjects", "Import raises the epochs to those of the records", importing(func(r *lanyard.Record) { r.SubjectEpoch = 0 })},
	{"Import keeps the global epoch", "Import raises the epochs to those of the records", importing(func(r *lanyard.Record) { r.GlobalEpoch = 0 })},
	{"Import does not read the entries", "Import raises the epochs to those of the entries", func(b *broken) {
		b.imports = func(records []*lanyard.Record, entries []lanyard.Entry) (int, error) {
			blind := slices.Clone(entries)
			for i := range blind {
				blind[i].Epoch = 0
			}
			return b.Store.Import(ctx, records, blind)
		}
	}},
	{"Import writes over what is there", "Import leaves out a SID that is taken", func(b *broken) {
		b.imports = func(records []*lanyard.Record, entries []lanyard.Entry) (int, error) {
			n, err := b.Store.Import(ctx, records, entries)
			for _, r := range records {
				if old, found := b.Store.Get(ctx, r.SID); found == nil && err == nil && old.Version < r.Version {
					c := r.Clone()
					c.Version, c.SubjectEpoch, c.GlobalEpoch = old.Version, old.SubjectEpoch, old.GlobalEpoch
					err = b.Store.Update(ctx, c)
				}
			}
			return n, err
		}
	}},
	{"Import takes what was fenced for live", "Import never makes a fenced record live", importing(func(r *lanyard.Record) { r.Fenced = false })},
}

// importing seeds an Import that changes the records.
func importing(change func(*lanyard.Record)) func(*broken) {
	return func(b *broken) {
		b.imports = func(records []*lanyard.Record, entries []lanyard.Entry) (int, error) {
			changed := make([]*lanyard.Record, len(records))
			for i, r := range records {
				changed[i] = r.Clone()
				change(changed[i])
			}
			return b.Store.Import(ctx, changed, entries)
		}
	}
}
