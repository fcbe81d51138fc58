package memory_test

import (
	"errors"
	"fmt"
	"maps"
	"strings"
	"sync/atomic"

	"github.com/lanyard-go/lanyard"
)

// leaseFaults are those of the abilities that instant revocation rests on.
var leaseFaults = []fault{
	{"Covers says yes to everything", "Covers says whether a reader has seen all that another has", covering(func(b *broken, have, want string) (bool, error) {
		_, err := b.Store.Covers(have, want)
		return err == nil, err
	})},
	{"Covers knows only itself", "Covers says whether a reader has seen all that another has", covering(func(b *broken, have, want string) (bool, error) {
		_, err := b.Store.Covers(have, want)
		return have == want, err
	})},
	{"Covers takes have for want", "Covers says whether a reader has seen all that another has", covering(func(b *broken, have, want string) (bool, error) {
		return b.Store.Covers(want, have)
	})},
	{"Covers wants more than all", "Covers says whether a reader has seen all that another has", covering(func(b *broken, have, want string) (bool, error) {
		covers, err := b.Store.Covers(have, want)
		if entries, _, _ := b.Store.Revocations(ctx, have, 1); len(entries) == 0 {
			return false, err
		}
		return covers, err
	})},
	{"Covers never says yes", "Covers tells when a reader has seen an end", covering(func(b *broken, have, want string) (bool, error) {
		_, err := b.Store.Covers(have, want)
		return false, err
	})},
	{"Covers is an entry ahead", "Covers tells when a reader has seen an end", covering(func(b *broken, have, want string) (bool, error) {
		if _, next, err := b.Store.Revocations(ctx, have, 1); err == nil {
			have = next
		}
		return b.Store.Covers(have, want)
	})},
	{"Covers takes any cursor", "Covers refuses a cursor the store did not make", covering(func(b *broken, have, want string) (bool, error) {
		covers, err := b.Store.Covers(have, want)
		if errors.Is(err, lanyard.ErrBadCursor) {
			return false, nil
		}
		return covers, err
	})},
	{"Covers looks at one cursor only if it is not empty", "Covers refuses a cursor the store did not make", covering(func(b *broken, have, want string) (bool, error) {
		if have == "" || want == "" {
			return want == "", nil
		}
		return b.Store.Covers(have, want)
	})},
	{"SetLease keeps the first", "SetLease replaces what is kept under the node's name", func(b *broken) {
		b.setLease = func(node, value string) error {
			if leases, _, _ := b.Store.Leases(ctx); leases[node] != "" {
				return nil
			}
			return b.Store.SetLease(ctx, node, value)
		}
	}},
	{"Leases answers from before the last lease", "SetLease replaces what is kept under the node's name", func(b *broken) {
		var old map[string]string
		b.setLease = func(node, value string) error {
			old, _, _ = b.Store.Leases(ctx)
			return b.Store.SetLease(ctx, node, value)
		}
		b.leases = func() (map[string]string, string, error) {
			_, word, err := b.Store.Leases(ctx)
			return old, word, err
		}
	}},
	{"SetLease minds no case in names", "SetLease keeps every byte of names and values", func(b *broken) {
		b.setLease = func(node, value string) error { return b.Store.SetLease(ctx, strings.ToLower(node), value) }
	}},
	{"SetLease cuts long values", "SetLease keeps every byte of names and values", func(b *broken) {
		b.setLease = func(node, value string) error {
			return b.Store.SetLease(ctx, node, value[:min(len(value), 8000)])
		}
	}},
	{"SetLease writes what it refuses", "SetLease refuses names and values out of bounds", func(b *broken) {
		b.setLease = func(node, value string) error {
			err := b.Store.SetLease(ctx, node, value)
			if err != nil && node != "" {
				b.Store.SetLease(ctx, node[:min(len(node), 64)], value[:min(len(value), 10)])
			}
			return err
		}
	}},
	{"SetLease takes a node without a name", "SetLease refuses names and values out of bounds", func(b *broken) {
		b.setLease = func(node, value string) error {
			if node == "" {
				return nil
			}
			return b.Store.SetLease(ctx, node, value)
		}
	}},
	{"DropLease removes whatever is there", "DropLease removes a lease that is still the value", func(b *broken) {
		b.dropLease = func(node, _ string) error {
			leases, _, _ := b.Store.Leases(ctx)
			return b.Store.DropLease(ctx, node, leases[node])
		}
	}},
	{"DropLease leaves it empty", "DropLease removes a lease that is still the value", func(b *broken) {
		b.dropLease = func(node, value string) error {
			if leases, _, _ := b.Store.Leases(ctx); leases[node] == value && value != "" {
				return b.Store.SetLease(ctx, node, "")
			}
			return b.Store.DropLease(ctx, node, value)
		}
	}},
	{"Leases are pruned", "Leases outlive the records", func(b *broken) {
		b.prune = func(p lanyard.Prune) (lanyard.Ended, error) {
			leases, _, _ := b.Store.Leases(ctx)
			for node, value := range leases {
				b.Store.DropLease(ctx, node, value)
			}
			return b.Store.Prune(ctx, p)
		}
	}},
	{"Leases names no incarnation", "Leases names one incarnation while the engine runs undisturbed", func(b *broken) {
		b.leases = func() (map[string]string, string, error) {
			leases, _, err := b.Store.Leases(ctx)
			return leases, "", err
		}
	}},
	{"Leases counts the ends of everything as incarnations", "Leases names one incarnation while the engine runs undisturbed", func(b *broken) {
		b.leases = func() (map[string]string, string, error) {
			leases, word, err := b.Store.Leases(ctx)
			epoch, _ := b.Store.GlobalEpoch(ctx)
			return leases, fmt.Sprint(word, epoch), err
		}
	}},
	{"Leases reads one half after the other", "Leases at once are as of one moment", func(b *broken) {
		b.leases = func() (map[string]string, string, error) {
			leases, _, _ := b.Store.Leases(ctx)
			maps.DeleteFunc(leases, func(node, _ string) bool { return !strings.HasPrefix(node, "first") })
			pause()
			later, word, err := b.Store.Leases(ctx)
			maps.DeleteFunc(later, func(node, _ string) bool { return strings.HasPrefix(node, "first") })
			maps.Copy(leases, later)
			return leases, word, err
		}
	}},
	{"Leases answers those who ask at once alike", "Leases at once are as of one moment", func(b *broken) {
		type answer struct {
			leases map[string]string
			word   string
		}
		var asked atomic.Uint64
		var last atomic.Pointer[answer]
		b.leases = func() (map[string]string, string, error) {
			if kept := last.Load(); kept != nil && asked.Add(1)%2 == 0 {
				return maps.Clone(kept.leases), kept.word, nil
			}
			leases, word, err := b.Store.Leases(ctx)
			last.Store(&answer{maps.Clone(leases), word})
			return leases, word, err
		}
	}},
	{"DropLease looks first and removes then", "DropLease never removes a lease that was just set", func(b *broken) {
		b.dropLease = func(node, value string) error {
			if leases, _, _ := b.Store.Leases(ctx); leases[node] != value {
				return nil
			}
			pause()
			leases, _, _ := b.Store.Leases(ctx)
			return b.Store.DropLease(ctx, node, leases[node])
		}
	}},
}

// covering seeds a Covers.
func covering(covers func(b *broken, have, want string) (bool, error)) func(*broken) {
	return func(b *broken) {
		b.covers = func(have, want string) (bool, error) { return covers(b, have, want) }
	}
}
