package redis

import (
	"context"
	"errors"
	"fmt"

	"github.com/lanyard-go/lanyard"
)

// Revoke implements [lanyard.Store]. It works while the server's memory is full.
//
// An End of All is decided in the first partition, with the entry, and then
// brought to the others; it has succeeded when all have it. If some could not be
// reached the error says so, everything is to be called again, and until then
// [Store.Prune] completes what was begun.
func (s *Store) Revoke(ctx context.Context, e lanyard.End) (lanyard.Ended, error) {
	if err := revocable(&e); err != nil {
		return lanyard.Ended{}, fmt.Errorf("redis: revoking: %w", err)
	}
	switch {
	case e.Key != "":
		return s.revokeKey(ctx, &e)
	case e.All:
		return s.revokeAll(ctx, &e)
	case e.Subject != "":
		return s.revokeStep(ctx, stepSubject, lanyard.SubjectPartition(e.Subject),
			digest(e.Subject), e.Except.String(), string(e.Reason), e.By, number(e.Now), number(e.Until), e.Subject)
	}
	linked := "1"
	if e.KeepLinked {
		linked = "0"
	}
	return s.revokeStep(ctx, stepRevoke, e.SID.Partition(),
		e.SID.String(), linked, string(e.Reason), e.By, number(e.Now), number(e.Until))
}

func revocable(e *lanyard.End) error {
	named := 0
	for _, set := range [...]bool{!e.SID.IsZero(), e.Subject != "", e.All, e.Key != ""} {
		if set {
			named++
		}
	}
	switch {
	case named != 1:
		return errors.New("name exactly one of SID, Subject, All and Key")
	case e.Reason == "" && e.Key == "":
		return errors.New("give a Reason")
	case len(e.By) > maxBy || len(e.Reason) > 255 || len(e.Subject) > maxBy:
		return errors.New("its reason, its subject or who asks is too long")
	case e.AtLeast > maxNumber:
		return fmt.Errorf("an epoch of at least %d, want at most %d", e.AtLeast, int64(maxNumber))
	}
	return times(e.Now, e.Until)
}

// revokeStep runs a script that ends records of one partition.
func (s *Store) revokeStep(ctx context.Context, step string, part int, args ...string) (lanyard.Ended, error) {
	const doing = "revoking"
	answer, err := s.run(ctx, doing, step, part, args...)
	if err != nil {
		return lanyard.Ended{}, err
	}
	head, values, err := numbers(doing, answer, 2)
	if err != nil {
		return lanyard.Ended{}, err
	}
	s.heard(part, head[0])
	ended, err := decodeEnded(values)
	return lanyard.Ended{Records: ended, Cursor: s.behind(part, head[0]), Epoch: uint64(head[1])}, err
}

// revokeKey appends to the one partition that the key's name chooses: readers
// read all of them.
func (s *Store) revokeKey(ctx context.Context, e *lanyard.End) (lanyard.Ended, error) {
	entry, err := encodeEntry(&lanyard.Entry{
		Kind: lanyard.EntryKey, Key: e.Key, Reason: e.Reason, At: e.Now, Until: e.Until,
	})
	if err != nil {
		return lanyard.Ended{}, fmt.Errorf("redis: revoking: %w", err)
	}
	part := partitionOf(e.Key)
	answer, err := s.run(ctx, "revoking", stepAnnounce, part, number(e.Until), entry)
	if err != nil {
		return lanyard.Ended{}, err
	}
	head, _, err := numbers("revoking", answer, 1)
	if err != nil {
		return lanyard.Ended{}, err
	}
	s.heard(part, head[0])
	return lanyard.Ended{Cursor: s.behind(part, head[0])}, nil
}

func (s *Store) revokeAll(ctx context.Context, e *lanyard.End) (lanyard.Ended, error) {
	// Above what any partition has, also when a failover took the first one back.
	highest, err := s.GlobalEpoch(ctx)
	if err != nil {
		return lanyard.Ended{}, err
	}
	seq, epoch, err := s.fence(ctx, 0, max(highest+1, e.AtLeast), "1", e)
	if err != nil {
		return lanyard.Ended{}, err
	}
	s.heard(0, seq)
	err = each(ctx, func(ctx context.Context, part int) error {
		if part == 0 {
			return nil
		}
		_, _, err := s.fence(ctx, part, epoch, "0", e)
		return err
	})
	if err != nil {
		return lanyard.Ended{}, fmt.Errorf("redis: not all partitions have epoch %d yet, call again: %w", epoch, err)
	}
	return lanyard.Ended{Cursor: s.behind(0, seq), Epoch: epoch}, nil
}

func (s *Store) fence(ctx context.Context, part int, least uint64, decide string, e *lanyard.End) (seq int64, epoch uint64, err error) {
	if least > maxNumber {
		return 0, 0, errors.New("redis: revoking: the global epoch cannot be raised any further")
	}
	answer, err := s.run(ctx, "revoking", stepFence, part,
		number(least), decide, string(e.Reason), number(e.Now), number(e.Until))
	if err != nil {
		return 0, 0, err
	}
	head, _, err := numbers("revoking", answer, 2)
	if err != nil {
		return 0, 0, err
	}
	return head[0], uint64(head[1]), nil
}
