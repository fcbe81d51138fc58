package audit

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"path/filepath"
	"strconv"
)

// window is how much of the end of a file is checked when it is opened: more than
// the largest buffer and a line, so that it holds a whole line in front of
// whatever a single write left unfinished.
const window = 2 << 20

// resume finds the end of the chain in a.f and makes it ready for the next line.
func (a *File) resume() error {
	noted, hasHead, err := readHead(a.path)
	if err != nil {
		return err
	}
	info, err := a.f.Stat()
	if err != nil {
		return err
	}
	a.size = info.Size()
	torn, err := a.readTail()
	if err != nil {
		return err
	}
	if a.head.Seq < noted.Seq {
		return behind(a.head, noted)
	}
	if a.head.Seq == noted.Seq && a.head.Hash != noted.Hash {
		return &Broken{Seq: noted.Seq, Kind: Edited, Detail: "the last line is not the one that the head file names"}
	}
	a.written = a.head
	a.synced = noted
	if len(torn) > 0 {
		if err := a.setAside(torn); err != nil {
			return err
		}
	}
	if hasHead {
		return nil
	}
	// The note is made before the first event, so it was lost, unless the file
	// is new.
	if info.Size() > 0 {
		if err := a.repaired(map[string]string{"damage": "head file missing"}); err != nil {
			return err
		}
	}
	if err := a.f.Sync(); err != nil {
		return err
	}
	if err := writeHead(a.path, a.written); err != nil {
		return err
	}
	a.synced = a.written
	return nil
}

// readTail checks the last lines, sets head and size to the last whole one, and
// returns what stands after it.
func (a *File) readTail() (torn []byte, err error) {
	start := max(0, a.size-window)
	tail := make([]byte, a.size-start)
	if _, err := a.f.ReadAt(tail, start); err != nil && err != io.EOF {
		return nil, err
	}
	if start > 0 {
		// The first line of the window is probably cut; begin at the second.
		i := bytes.IndexByte(tail, '\n')
		if i < 0 {
			return nil, &Broken{Kind: Edited, Detail: "the end of the file holds no whole line"}
		}
		tail = tail[i+1:]
	}
	first := start == 0
	for {
		i := bytes.IndexByte(tail, '\n')
		if i < 0 {
			break
		}
		l, ok := parseLinks(tail[:i])
		if !ok {
			return nil, &Broken{Seq: a.head.Seq + 1, Kind: Edited, Detail: "a line near the end does not match its hash"}
		}
		if (first || a.head.Seq > 0) && !l.follows(a.head) {
			return nil, &Broken{Seq: l.seq, Kind: Removed, Detail: "a line near the end does not follow the one before it"}
		}
		a.head, first = l.head(), false
		tail = tail[i+1:]
	}
	a.size -= int64(len(tail))
	// A line that lacks nothing but its line feed is kept whole.
	if l, ok := parseLinks(tail); ok && l.follows(a.head) {
		if _, err := a.f.WriteAt([]byte{'\n'}, a.size+int64(len(tail))); err != nil {
			return nil, err
		}
		a.size += int64(len(tail)) + 1
		a.head = l.head()
		return nil, nil
	}
	return tail, nil
}

// setAside moves an incomplete last line into a file of its own, cuts it off,
// and says so in the chain. The copy is durable before anything is cut; its name
// depends on its content alone, so that a crash in between repeats harmlessly.
func (a *File) setAside(torn []byte) error {
	sum := sha256.Sum256(torn)
	name := a.path + ".torn-" + hex.EncodeToString(sum[:8])
	if err := replaceFile(name, torn); err != nil {
		return fmt.Errorf("setting an incomplete line aside: %w", err)
	}
	if err := a.f.Truncate(a.size); err != nil {
		return fmt.Errorf("cutting an incomplete line: %w", err)
	}
	return a.repaired(map[string]string{
		"damage": "incomplete last line",
		"kept":   filepath.Base(name),
		"bytes":  strconv.Itoa(len(torn)),
		"sha256": hex.EncodeToString(sum[:]),
	})
}

func (a *File) repaired(attrs map[string]string) error {
	e, err := Event{Time: a.cfg.Now(), Name: ChainRepaired, Reason: "crash_recovery", Attrs: attrs}.complete()
	if err != nil {
		return err
	}
	return a.record(e)
}
