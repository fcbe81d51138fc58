package contender

import (
	"context"
	"testing"

	"github.com/lanyard-go/lanyard"
	"github.com/lanyard-go/lanyard/store/memory"
	"github.com/lanyard-go/lanyard/token"
)

func TestEveryCreatorWritesEverySessionWithTheSameSettings(t *testing.T) {
	for name, open := range map[string]func(context.Context, string) (*Creator, error){
		"store": StoreCreator, "login": LoginCreator, "plain": PlainCreator, "scs": SCSCreator,
	} {
		t.Run(name, func(t *testing.T) {
			ctx := t.Context()
			c, err := open(ctx, t.TempDir())
			if err != nil {
				t.Fatal(err)
			}
			defer c.Close()
			if err := c.Together(ctx, 8, 20); err != nil {
				t.Fatal(err)
			}
			if n, err := c.Count(ctx); err != nil || n != 20 {
				t.Errorf("%d sessions in the file, %v; want 20", n, err)
			}
			var journal string
			var synchronous int
			if err := c.db.QueryRowContext(ctx, "PRAGMA journal_mode").Scan(&journal); err != nil {
				t.Fatal(err)
			}
			if err := c.db.QueryRowContext(ctx, "PRAGMA synchronous").Scan(&synchronous); err != nil {
				t.Fatal(err)
			}
			if journal != "wal" || synchronous != 2 {
				t.Errorf("journal_mode %s, synchronous %d; want wal and 2, FULL", journal, synchronous)
			}
		})
	}
}

func TestPlainRowsAreRecordsThatTheStoreReads(t *testing.T) {
	ctx, dir := t.Context(), t.TempDir()
	c, err := PlainCreator(ctx, dir)
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Together(ctx, 1, 3); err != nil {
		t.Fatal(err)
	}
	if err := c.Close(); err != nil {
		t.Fatal(err)
	}
	f, err := OpenFile(ctx, dir+"/plain.db")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	page, err := f.List(ctx, lanyard.Query{Subject: somebody(2).subject})
	if err != nil || len(page.Records) != 1 || page.Records[0].Device.UserAgent != somebody(2).agent {
		t.Errorf("the second person's list is %+v, %v; want one whole record", page, err)
	}
}

func TestFillHandsOutBadgesThatWork(t *testing.T) {
	ctx := t.Context()
	store := memory.New()
	m, err := Manager(store, nil, token.ES256)
	if err != nil {
		t.Fatal(err)
	}
	badges, err := Fill(ctx, m, 100)
	if err != nil {
		t.Fatal(err)
	}
	if n, err := store.Count(ctx, 0); err != nil || n != 100 || len(badges) != 100 {
		t.Errorf("%d sessions and %d badges, %v; want 100 of each", n, len(badges), err)
	}
}

func TestHeapsHoldMoreThanThePayload(t *testing.T) {
	for name, measure := range map[string]func(context.Context, int) (Heap, error){"lanyard": LanyardHeap, "scs": SCSHeap} {
		h, err := measure(t.Context(), 2000)
		if err != nil {
			t.Fatal(err)
		}
		t.Logf("%s: %.0f bytes for a payload of %d", name, h.PerSession, h.Payload)
		if h.PerSession < float64(h.Payload) || h.PerSession > 20*float64(h.Payload) {
			t.Errorf("%s: %.0f bytes for a payload of %d cannot be", name, h.PerSession, h.Payload)
		}
	}
}
