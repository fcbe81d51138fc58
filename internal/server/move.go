package server

import (
	"context"
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/lanyard-go/lanyard"
)

// Moved tells what [Move] did.
type Moved struct {
	From    string `json:"from"`
	To      string `json:"to"`
	Records int    `json:"records"` // ended ones included: they stay ended
	Entries int    `json:"entries"` // of the revocation feed
}

// movePage is how many records or entries are moved at a time.
const movePage = 500

// Move takes the sessions of one store into another, empty one, while no server
// uses either. Every badge goes on working, and what has ended stays ended. The
// first store is marked as moved, so that no server starts on it by mistake. A
// move that was interrupted is finished by the same call.
func Move(ctx context.Context, d Drivers, cfg Config, from, to string) (m Moved, err error) {
	r, err := cfg.resolve(nil)
	if err != nil {
		return m, err
	}
	source, err := parseEngine("from", from, "")
	if err != nil {
		return m, err
	}
	target, err := parseEngine("to", to, "")
	switch {
	case err != nil:
		return m, err
	case source.kind == onMemory || target.kind == onMemory:
		return m, wrong("from", "a memory store ends with its process; there is nothing to move from or to")
	case source.kind == onSQLite && source.address == "" || target.kind == onSQLite && target.address == "":
		return m, wrong("from", "name the file, as in sqlite:%s", r.Data+"/sessions.db")
	case source == target:
		return m, wrong("to", "%s is where the sessions are", target)
	}
	if source.kind == onSQLite {
		if _, err := os.Stat(source.address); err != nil {
			return m, wrong("from", "%v", err)
		}
	}
	if info, err := os.Stat(r.Data); err == nil && info.IsDir() {
		lock, err := lockDir(r.Data, false)
		if err != nil {
			return m, err
		}
		defer lock.Close()
	}
	a, shutA, err := r.openSessions(ctx, d, source, "from", true)
	if err != nil {
		return m, err
	}
	defer func() { err = errors.Join(err, shutA()) }()
	b, shutB, err := r.openSessions(ctx, d, target, "to", true)
	if err != nil {
		return m, err
	}
	defer func() { err = errors.Join(err, shutB()) }()
	return move(ctx, a, b, source.String(), target.String())
}

// move is Move between two opened stores.
func move(ctx context.Context, a, b lanyard.Store, from, to string) (m Moved, err error) {
	m = Moved{From: from, To: to}
	noteA, ok1 := a.(lanyard.Noter)
	noteB, ok2 := b.(lanyard.Noter)
	into, ok3 := b.(lanyard.Importer)
	if !ok1 || !ok2 || !ok3 {
		return m, wrong("to", "moving from %s to %s is not something these stores can do", from, to)
	}
	if err := begin(ctx, noteA, noteB, b, from, to); err != nil {
		return m, err
	}
	if err := carryEpoch(ctx, a, b); err != nil {
		return m, err
	}
	q := lanyard.Query{Limit: movePage}
	for {
		page, err := a.List(ctx, q)
		if err != nil {
			return m, fmt.Errorf("reading sessions from %s: %w", from, err)
		}
		settle(page.Records)
		if _, err := into.Import(ctx, page.Records, nil); err != nil {
			return m, fmt.Errorf("writing sessions to %s: %w", to, err)
		}
		m.Records += len(page.Records)
		if page.Next == "" {
			break
		}
		q.After = page.Next
	}
	for cursor := ""; ; {
		entries, next, err := a.Revocations(ctx, cursor, movePage)
		if err != nil {
			return m, fmt.Errorf("reading the feed of %s: %w", from, err)
		}
		if len(entries) == 0 {
			break
		}
		if _, err := into.Import(ctx, nil, entries); err != nil {
			return m, fmt.Errorf("writing the feed to %s: %w", to, err)
		}
		m.Entries += len(entries)
		cursor = next
	}
	return m, finish(ctx, noteA, noteB, from, to)
}

// settle writes down the end of records that are older than the global epoch:
// stores do that as they meet them, and nobody will meet them here any more.
func settle(records []*lanyard.Record) {
	for _, rec := range records {
		if rec.Fenced && rec.EndReason == "" {
			rec.EndReason, rec.EndedBy, rec.EndedAt = lanyard.ReasonRevokedAll, "system", lanyard.TimeOf(time.Now())
		}
		rec.Fenced = false
	}
}

// begin marks the target as one that is not complete yet, unless it is in use.
func begin(ctx context.Context, a, b lanyard.Noter, target lanyard.Store, from, to string) error {
	moving, err := b.Note(ctx, noteMoving, "", "")
	if err != nil {
		return fmt.Errorf("reading from %s: %w", to, err)
	}
	moved, err := a.Note(ctx, noteMoved, "", "")
	if err != nil {
		return fmt.Errorf("reading from %s: %w", from, err)
	}
	if leaving, err := a.Note(ctx, noteLeaving, "", ""); err != nil || leaving != "" && leaving != to {
		return errors.Join(err, wrong("from", "the sessions of %s are being moved to %s", from, leaving))
	}
	if moved != "" && moving != from {
		return wrong("from", "the sessions of %s were moved already, to %s", from, moved)
	}
	if moving == "" {
		page, err := target.List(ctx, lanyard.Query{Limit: 1})
		if err != nil {
			return fmt.Errorf("reading from %s: %w", to, err)
		}
		if len(page.Records) > 0 || page.Next != "" {
			return wrong("to", "%s holds sessions already; sessions are moved into an empty store", to)
		}
		if there, err := b.Note(ctx, noteMoved, "", ""); err != nil || there != "" {
			return errors.Join(err, wrong("to", "the sessions of %s were moved to %s; sessions are moved into an empty store", to, there))
		}
		if moving, err = b.Note(ctx, noteMoving, "", from); err != nil {
			return fmt.Errorf("writing to %s: %w", to, err)
		}
	}
	if moving != from {
		return wrong("to", "%s is being filled from %s", to, moving)
	}
	// From here on no server starts on the source either.
	if moved == "" {
		if _, err := a.Note(ctx, noteLeaving, "", to); err != nil {
			return fmt.Errorf("writing to %s: %w", from, err)
		}
	}
	// Records go with the secret they were made with and with their people.
	for _, name := range []string{noteSecret, noteDirectory} {
		value, err := a.Note(ctx, name, "", "")
		if err != nil {
			return fmt.Errorf("reading from %s: %w", from, err)
		}
		if value == "" {
			continue
		}
		there, err := b.Note(ctx, name, "", value)
		if err != nil {
			return fmt.Errorf("writing to %s: %w", to, err)
		}
		if there != value {
			return wrong("to", "%s was used with another %s than %s", to, name, from)
		}
	}
	return nil
}

// carryEpoch raises the target's global epoch to the source's, so that what was
// fenced stays fenced.
func carryEpoch(ctx context.Context, a, b lanyard.Store) error {
	from, ok1 := a.(lanyard.Epochs)
	into, ok2 := b.(lanyard.Epochs)
	if !ok1 || !ok2 {
		return errors.New("moving sessions: a store does not tell its global epoch")
	}
	epoch, err := from.GlobalEpoch(ctx)
	if err != nil {
		return fmt.Errorf("reading the global epoch: %w", err)
	}
	there, err := into.GlobalEpoch(ctx)
	if err != nil || there >= epoch {
		return err
	}
	now := lanyard.TimeOf(time.Now())
	_, err = b.Revoke(ctx, lanyard.End{All: true, AtLeast: epoch, Reason: lanyard.ReasonRevokedAll, By: "owner", Now: now, Until: now.Add(time.Hour)})
	if err != nil {
		return fmt.Errorf("raising the global epoch: %w", err)
	}
	return nil
}

// finish marks the source first: if this stops in between, no server starts on
// either until the move is called again.
func finish(ctx context.Context, a, b lanyard.Noter, from, to string) error {
	if _, err := a.Note(ctx, noteMoved, "", to); err != nil {
		return fmt.Errorf("marking %s as moved: %w", from, err)
	}
	if _, err := a.Note(ctx, noteLeaving, to, ""); err != nil {
		return fmt.Errorf("marking %s as moved: %w", from, err)
	}
	if _, err := b.Note(ctx, noteMoving, from, ""); err != nil {
		return fmt.Errorf("marking %s as complete: %w", to, err)
	}
	return nil
}
