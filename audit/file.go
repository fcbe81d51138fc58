package audit

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"sync"
	"time"
)

var (
	// ErrLocked is returned by [OpenFile] while another process, or another
	// File of this one, writes to the same path.
	ErrLocked = errors.New("audit: file is in use by another writer")
	// ErrClosed is returned by a [File] after Close.
	ErrClosed = errors.New("audit: file is closed")
	// ErrTampered is returned when a file was changed by someone other than its
	// writer: cut, extended or replaced.
	ErrTampered = errors.New("audit: file was changed behind the writer")
)

// FileConfig holds the settings of a [File]. The zero value is the safest.
type FileConfig struct {
	// Buffer is how many bytes of lines may wait in memory, at most 1 MiB. Zero
	// hands each event to the operating system before Record returns. Critical
	// events never wait.
	Buffer int
	// SyncInterval is how often Run makes events durable. Zero means 1 s.
	SyncInterval time.Duration
	// Now is the clock for events that have no time of their own. Nil means
	// time.Now.
	Now func() time.Time
}

// A File is a [Sink] that appends events to a file as chained JSON lines. It is
// safe for concurrent use.
//
// What a crash may lose: if the process dies, the events still in Buffer (none
// by default); if the machine dies, everything since the last Sync. What a dying
// process leaves can always be continued. After a power cut some file systems
// leave more than an incomplete line of what was not yet synced; OpenFile then
// refuses, since it cannot tell that from tampering.
type File struct {
	cfg  FileConfig
	path string

	// syncing is held for the whole of Sync, Close and Run's ticks, and taken
	// before mu, so that events can be recorded while the disk works.
	syncing sync.Mutex
	synced  Head  // in PATH.head; guarded by syncing
	lost    error // of a sync that failed; guarded by syncing

	mu      sync.Mutex
	f       *os.File // nil after Close
	size    int64    // bytes of whole lines in the file
	head    Head     // after the last line in buf
	written Head     // after the last line in the file
	buf     []byte   // whole lines not yet in the file
	dirty   bool     // a failed write left bytes after size
}

// OpenFile opens the file at path for appending, or makes it with mode 0600, and
// holds it until Close; [ErrLocked] means someone else does. Its mode may let
// a group read it and nobody else do anything. On systems without flock the
// error is errors.ErrUnsupported.
//
// The end of an existing chain is checked. An incomplete last line, which a crash
// leaves, is moved to a file beside it (PATH.torn-HASH), and the chain goes on
// with a chain_repaired event that names that file. Any other damage, and a file
// that ends before the line that PATH.head names, is a [*Broken] error: look,
// move both files away for evidence, and open again.
func OpenFile(path string, cfg FileConfig) (*File, error) {
	if cfg.Buffer < 0 || cfg.Buffer > 1<<20 {
		return nil, fmt.Errorf("audit: Buffer: %d is not between 0 and 1 MiB", cfg.Buffer)
	}
	if cfg.SyncInterval < 0 {
		return nil, fmt.Errorf("audit: SyncInterval: %v is negative", cfg.SyncInterval)
	}
	if cfg.SyncInterval == 0 {
		cfg.SyncInterval = time.Second
	}
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	f, err := openLocked(path)
	if err != nil {
		return nil, fmt.Errorf("opening audit file: %w", err)
	}
	a := &File{cfg: cfg, path: path, f: f}
	if err := a.resume(); err != nil {
		return nil, errors.Join(fmt.Errorf("opening audit file %s: %w", path, err), f.Close())
	}
	return a, nil
}

func openLocked(path string) (*os.File, error) {
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, err
	}
	if err := admit(f); err != nil {
		return nil, errors.Join(fmt.Errorf("%s: %w", path, err), f.Close())
	}
	return f, nil
}

func admit(f *os.File) error {
	info, err := f.Stat()
	if err != nil {
		return err
	}
	if !info.Mode().IsRegular() {
		return errors.New("not a regular file")
	}
	// Read access for a group is allowed: that is how log shippers work.
	if info.Mode().Perm()&0o027 != 0 {
		return fmt.Errorf("mode %v lets others in, want 0600 or 0640", info.Mode().Perm())
	}
	return lock(f)
}

// Record appends the event to the chain. When it returns an error the event is
// not in the file, and events before it are not harmed.
func (a *File) Record(_ context.Context, e Event) error {
	e, err := e.complete()
	if err != nil {
		return err
	}
	if e.Time.IsZero() {
		e.Time = a.cfg.Now()
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.f == nil {
		return ErrClosed
	}
	return a.record(e)
}

func (a *File) record(e Event) error {
	before, mark := a.head, len(a.buf)
	a.buf, a.head = appendLine(a.buf, a.head, e)
	if len(a.buf) <= a.cfg.Buffer && e.Severity != Critical {
		return nil
	}
	if err := a.flush(); err != nil {
		// Only this event is taken back; its caller hears of it. Those in
		// front of it were accepted and are tried again.
		a.buf, a.head = a.buf[:mark], before
		return fmt.Errorf("recording %s: %w", e.Name, err)
	}
	return nil
}

// flush moves buf into the file. After an error buf still holds all its lines
// and the next flush starts at the same place.
func (a *File) flush() error {
	if len(a.buf) == 0 {
		return nil
	}
	if a.dirty {
		if err := a.f.Truncate(a.size); err != nil {
			return err
		}
		a.dirty = false
	}
	info, err := a.f.Stat()
	if err != nil {
		return err
	}
	if info.Size() != a.size {
		return fmt.Errorf("%w: %d bytes, expected %d", ErrTampered, info.Size(), a.size)
	}
	n, err := a.f.WriteAt(a.buf, a.size)
	if err != nil {
		// Part of the lines may be there, whatever n says: os.File forgets what it
		// wrote before the error. If it cannot be cut off now, the next flush must.
		a.dirty = a.f.Truncate(a.size) != nil
		return err
	}
	a.size += int64(n)
	a.buf = a.buf[:0]
	a.written = a.head
	return nil
}

// Sync makes every recorded event durable and then notes the last one in
// PATH.head. It also notices that the path no longer leads to the open file.
// Events can be recorded meanwhile. Once the disk has failed to take them, Sync
// fails until the file is opened again and looked at.
func (a *File) Sync() error {
	a.syncing.Lock()
	defer a.syncing.Unlock()
	return a.sync()
}

// sync does the work of Sync. The caller holds syncing, so f stays open.
func (a *File) sync() error {
	a.mu.Lock()
	f := a.f
	if f == nil {
		a.mu.Unlock()
		return ErrClosed
	}
	err := a.flush()
	reached := a.written
	a.mu.Unlock()
	if err != nil {
		return fmt.Errorf("writing audit file: %w", err)
	}
	if err := inPlace(f, a.path); err != nil {
		return err
	}
	if a.lost != nil || reached == a.synced {
		return a.lost
	}
	if err := f.Sync(); err != nil {
		// The system may have dropped the data and will not say so twice: another
		// attempt could succeed and prove nothing.
		a.lost = fmt.Errorf("syncing audit file: %w", err)
		return a.lost
	}
	if err := writeHead(a.path, reached); err != nil {
		return err
	}
	a.synced = reached
	return nil
}

// inPlace returns ErrTampered if path does not lead to f.
func inPlace(f *os.File, path string) error {
	open, err := f.Stat()
	if err != nil {
		return fmt.Errorf("checking audit file: %w", err)
	}
	there, err := os.Stat(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return fmt.Errorf("%w: %s is gone", ErrTampered, path)
	case err != nil:
		return fmt.Errorf("checking audit file: %w", err)
	case !os.SameFile(open, there):
		return fmt.Errorf("%w: %s is another file", ErrTampered, path)
	}
	return nil
}

// Head returns the number and hash of the last recorded event. Kept elsewhere, it
// shows a history that was rewritten as a whole.
func (a *File) Head() Head {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.head
}

// Run calls Sync every SyncInterval until ctx ends, and once more then. It
// returns nil, or the error of that last Sync; onError, if not nil, hears of the
// errors before it.
func (a *File) Run(ctx context.Context, onError func(error)) error {
	tick := time.NewTicker(a.cfg.SyncInterval)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return a.Sync()
		case <-tick.C:
			if err := a.Sync(); err != nil && onError != nil {
				onError(err)
			}
		}
	}
}

// Close makes all events durable and gives the file up. Calling it again does
// nothing. An error means that the newest events may not be on disk.
func (a *File) Close() error {
	a.syncing.Lock()
	defer a.syncing.Unlock()
	err := a.sync()
	if errors.Is(err, ErrClosed) {
		return nil
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	// What was recorded since then reaches the system, though not the head.
	err = errors.Join(err, a.flush(), a.f.Close())
	a.f = nil
	return err
}
