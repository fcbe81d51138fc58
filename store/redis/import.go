package redis

import (
	"context"
	"fmt"

	"github.com/lanyard-go/lanyard"
)

// importChunk is how many records or entries one script takes over.
const importChunk = 100

// Import implements [lanyard.Importer]. Records go to their partitions a hundred
// at a time, each hundred in one step.
func (s *Store) Import(ctx context.Context, records []*lanyard.Record, entries []lanyard.Entry) (int, error) {
	const doing = "importing sessions"
	var epoch uint64
	var parts [lanyard.Partitions]cargo
	for _, rec := range records {
		if err := placed(rec); err != nil {
			return 0, fmt.Errorf("redis: %s: %s: %w", doing, rec.SID, err)
		}
		if err := storable(rec); err != nil {
			return 0, fmt.Errorf("redis: %s: %s: %w", doing, rec.SID, err)
		}
		p := &parts[rec.SID.Partition()]
		p.records = append(p.records, rec)
		p.floor = max(p.floor, rec.SubjectEpoch)
		epoch = max(epoch, rec.GlobalEpoch)
		if rec.Fenced { // where it comes from the epoch is higher
			epoch = max(epoch, rec.GlobalEpoch+1)
		}
	}
	for i := range entries {
		e := &entries[i]
		stored, err := encodeEntry(e)
		if err != nil {
			return 0, fmt.Errorf("redis: %s: %w", doing, err)
		}
		p := &parts[entryPartition(e)]
		if e.Kind == lanyard.EntryAll {
			epoch = max(epoch, e.Epoch)
		}
		if e.Kind == lanyard.EntrySubject {
			p.entries = append(p.entries, []string{"subject", digest(e.Subject), number(e.Epoch), number(e.Until)})
		}
		p.entries = append(p.entries, []string{"entry", number(e.Until), stored})
	}
	stored := 0
	for part := range parts {
		n, err := s.importPartition(ctx, part, &parts[part], epoch)
		stored += n
		if err != nil {
			return stored, err
		}
	}
	return stored, nil
}

// cargo is what one partition takes over.
type cargo struct {
	records []*lanyard.Record
	floor   uint64 // of subject epochs
	entries [][]string
}

// entryPartition is where an entry belongs.
func entryPartition(e *lanyard.Entry) int {
	switch e.Kind {
	case lanyard.EntrySession, lanyard.EntryGeneration:
		return e.SID.Partition()
	case lanyard.EntrySubject:
		return lanyard.SubjectPartition(e.Subject)
	case lanyard.EntryKey:
		return partitionOf(e.Key)
	}
	return 0
}

// importPartition also raises the epochs of a partition that takes over nothing.
func (s *Store) importPartition(ctx context.Context, part int, c *cargo, epoch uint64) (stored int, err error) {
	const doing = "importing sessions"
	for first := true; first || len(c.records)+len(c.entries) > 0; first = false {
		records := c.records[:min(len(c.records), importChunk)]
		entries := c.entries[:min(len(c.entries), importChunk)]
		c.records, c.entries = c.records[len(records):], c.entries[len(entries):]
		args := []string{number(epoch), number(c.floor), number(len(records))}
		for _, rec := range records {
			body, err := rec.AppendBinary(nil)
			if err != nil {
				return stored, fmt.Errorf("redis: %s: %w", doing, err)
			}
			args = append(args, rec.SID.String(), number(rec.Version), number(rec.GlobalEpoch), number(rec.SubjectEpoch),
				number(rec.CreatedAt), number(rec.LastActive), number(rec.IdleExpiresAt), number(rec.ExpiresAt),
				number(rec.EndedAt), digest(rec.Subject), rec.Origin.String(), string(rec.EndReason), rec.EndedBy,
				number(s.lifetime(rec)), string(body))
		}
		for _, e := range entries {
			args = append(args, e...)
		}
		answer, err := s.run(ctx, doing, stepImport, part, args...)
		if err != nil {
			return stored, err
		}
		head, _, err := numbers(doing, answer, 2)
		if err != nil {
			return stored, err
		}
		stored += int(head[0])
		s.heard(part, head[1])
	}
	return stored, nil
}
