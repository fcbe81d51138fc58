package server

import (
	"archive/tar"
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"time"

	"github.com/lanyard-go/lanyard"
	"github.com/lanyard-go/lanyard/audit"
	"github.com/lanyard-go/lanyard/store/sqlite"
)

// A backup is a tar file with a manifest and the two databases. Keys, secrets
// and the audit trail are not in it: a copy of the data opens nothing, and the
// trail is only ever added to.

const (
	manifestName  = "manifest.json"
	sessionsName  = "sessions.db"
	directoryName = "directory.db"
	backupFormat  = 1
)

type manifest struct {
	Format int       `json:"format"`
	Made   time.Time `json:"made_at"`
}

// Backup writes a copy of sessions and directory to path while the server runs.
// The file appears whole or not at all, readable by its owner alone, and an
// existing file is not overwritten.
func (s *Server) Backup(ctx context.Context, path string) error {
	if s.sessions == nil || s.cfg.directory.kind != onSQLite {
		return fmt.Errorf("sessions are in %s and users in %s: a backup is of SQLite databases; back the others up with the tools of their engine", s.cfg.store, s.cfg.directory)
	}
	if !filepath.IsAbs(path) {
		return errors.New("the path must be absolute")
	}
	if _, err := os.Lstat(path); err == nil {
		return fmt.Errorf("%s exists already; choose another name", path)
	}
	dir, err := os.MkdirTemp(filepath.Dir(path), ".backup-*")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	if err := s.sessions.Backup(ctx, filepath.Join(dir, sessionsName)); err != nil {
		return fmt.Errorf("copying sessions: %w", err)
	}
	if _, err := s.dirDB.ExecContext(ctx, "VACUUM INTO ?", filepath.Join(dir, directoryName)); err != nil {
		return fmt.Errorf("copying the directory: %w", err)
	}
	packed := filepath.Join(dir, "packed")
	if err := pack(packed, dir, manifest{backupFormat, s.now().UTC()}); err != nil {
		return err
	}
	if err := os.Link(packed, path); err != nil { // unlike a rename it never overwrites
		return err
	}
	return syncDir(filepath.Dir(path))
}

func pack(path, dir string, m manifest) (err error) {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	t := tar.NewWriter(f)
	text, err := json.Marshal(m)
	if err != nil {
		return err
	}
	if err := t.WriteHeader(&tar.Header{Name: manifestName, Mode: 0o600, Size: int64(len(text))}); err != nil {
		return err
	}
	if _, err := t.Write(text); err != nil {
		return err
	}
	for _, name := range []string{sessionsName, directoryName} {
		if err := packFile(t, dir, name); err != nil {
			return fmt.Errorf("packing %s: %w", name, err)
		}
	}
	if err := t.Close(); err != nil {
		return err
	}
	return f.Sync()
}

func packFile(t *tar.Writer, dir, name string) error {
	f, err := os.Open(filepath.Join(dir, name))
	if err != nil {
		return err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return err
	}
	if err := t.WriteHeader(&tar.Header{Name: name, Mode: 0o600, Size: info.Size()}); err != nil {
		return err
	}
	_, err = io.Copy(t, f)
	return err
}

// Restore puts a backup into a data directory that no server uses. Databases
// that are there are kept beside, with the time in their names. Unless sessions
// are to be kept, the global epoch is raised above every one ever used, so that
// the backup revives nobody: everybody signs in again.
func Restore(ctx context.Context, d Drivers, cfg Config, path string, insecureKeepSessions bool) (err error) {
	r, err := cfg.resolve(nil)
	if err != nil {
		return err
	}
	if r.store.kind != onSQLite || r.directory.kind != onSQLite {
		return wrong("store", "a backup is of SQLite databases, and cannot be restored to %s and %s", r.store, r.directory)
	}
	dir := r.Data
	if err := prepareData(dir); err != nil {
		return err
	}
	lock, err := lockDir(dir, false)
	if err != nil {
		return err
	}
	defer lock.Close()
	stage, err := os.MkdirTemp(dir, ".restore-*")
	if err != nil {
		return err
	}
	defer os.RemoveAll(stage)
	if err := unpack(path, stage); err != nil {
		return fmt.Errorf("backup %s: %w", path, err)
	}
	staged := filepath.Join(stage, sessionsName)
	if insecureKeepSessions {
		err = keepable(ctx, d, dir, staged)
	} else if err = fence(ctx, d, dir, r.store.address, staged); err != nil {
		err = fmt.Errorf("raising the epoch of the restored sessions: %w", err)
	}
	if err != nil {
		return err
	}
	// Both places are looked at before anything is replaced.
	for setting, path := range map[string]string{"store": r.store.address, "directory": r.directory.address} {
		if dir := filepath.Dir(path); !exists(dir) {
			return wrong(setting, "%s is not there; make it first", dir)
		}
	}
	now := time.Now().UTC()
	for name, target := range map[string]string{sessionsName: r.store.address, directoryName: r.directory.address} {
		if err := replace(filepath.Join(stage, name), target, now); err != nil {
			return err
		}
	}
	return noteRestore(dir, path, insecureKeepSessions, now)
}

// replace puts a file in the place of another, which it keeps under a name that
// no other restore takes.
func replace(from, target string, now time.Time) error {
	for _, suffix := range []string{"", "-wal", "-shm"} {
		kept := target + ".before-restore-" + now.Format("20060102T150405.000000000Z") + suffix
		if err := os.Rename(target+suffix, kept); err != nil && !errors.Is(err, os.ErrNotExist) {
			return err
		}
	}
	// Databases may lie outside of the data directory, on another disk.
	in, err := os.Open(from)
	if err != nil {
		return err
	}
	defer in.Close()
	if err := unpackFile(in, target); err != nil {
		return err
	}
	return syncDir(filepath.Dir(target))
}

// noteRestore leaves a trace in the audit trail.
func noteRestore(dir, path string, kept bool, now time.Time) (err error) {
	trail, err := audit.OpenFile(filepath.Join(dir, "audit.log"), audit.FileConfig{})
	if err != nil {
		return fmt.Errorf("the backup is restored, but the audit trail cannot be written: %w", err)
	}
	defer func() { err = errors.Join(err, trail.Close()) }()
	return trail.Record(context.Background(), audit.Event{
		Time: now, Name: audit.AdminAction, Actor: "owner", Reason: "backup restored",
		Attrs: map[string]string{"file": filepath.Base(path), "sessions_kept": strconv.FormatBool(kept)},
	})
}

// keepable refuses to keep the sessions of a backup that is from before everything
// was revoked: the next start would end them all the same.
func keepable(ctx context.Context, d Drivers, dir, staged string) error {
	noted, err := readEpoch(dir)
	if err != nil {
		return err
	}
	epoch, err := epochOf(ctx, d, staged, nil)
	if err != nil {
		return err
	}
	if epoch < noted {
		return errors.New("every session was revoked after this backup was made, so its sessions cannot be kept; restore it without --insecure-keep-sessions")
	}
	return nil
}

// unpack reads a backup, and takes from it only what a backup has.
func unpack(path, dir string) error {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	defer f.Close()
	t := tar.NewReader(f)
	found := map[string]bool{}
	for {
		h, err := t.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return fmt.Errorf("not a lanyard backup: %w", err)
		}
		switch {
		case found[h.Name]:
			return fmt.Errorf("not a lanyard backup: %q is in it twice", h.Name)
		case h.Name == manifestName:
			var m manifest
			if err := json.NewDecoder(io.LimitReader(t, 4096)).Decode(&m); err != nil || m.Format != backupFormat {
				return fmt.Errorf("made by another version of lanyard (format %d, this program reads %d)", m.Format, backupFormat)
			}
		case h.Name == sessionsName, h.Name == directoryName:
			if err := unpackFile(t, filepath.Join(dir, h.Name)); err != nil {
				return err
			}
		default:
			return fmt.Errorf("not a lanyard backup: %q is in it", h.Name)
		}
		found[h.Name] = true
	}
	for _, name := range []string{manifestName, sessionsName, directoryName} {
		if !found[name] {
			return fmt.Errorf("incomplete: %s is missing", name)
		}
	}
	return nil
}

func unpackFile(t io.Reader, path string) (err error) {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, f.Sync(), f.Close()) }()
	_, err = io.Copy(f, t)
	return err
}

// fence raises the epoch in a database that is not in use yet, above the one in
// it, the one noted beside the keys, and the one of the database it replaces.
func fence(ctx context.Context, d Drivers, dir, current, path string) error {
	highest, err := readEpoch(dir)
	if err != nil {
		return err
	}
	if exists(current) {
		// A damaged database must not keep anybody from restoring a good one.
		if e, err := epochOf(ctx, d, current, nil); err == nil {
			highest = max(highest, e)
		}
	}
	raise := func(store *sqlite.Store) error {
		_, err := store.Revoke(ctx, lanyard.End{
			All: true, AtLeast: highest + 1, Reason: lanyard.ReasonRestored, By: "owner",
			Now: lanyard.TimeOf(time.Now()), Until: lanyard.TimeOf(time.Now().Add(time.Hour)),
		})
		return err
	}
	epoch, err := epochOf(ctx, d, path, raise)
	if err != nil {
		return err
	}
	return noteEpoch(dir, epoch)
}

func exists(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}

// epochOf opens a database of sessions, lets do change it, and reads its epoch.
func epochOf(ctx context.Context, d Drivers, path string, do func(*sqlite.Store) error) (epoch uint64, err error) {
	db, err := openSQL(d, path, "data")
	if err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, checkpoint(ctx, db), db.Close()) }()
	store, err := sqlite.New(ctx, db, sqlite.Config{})
	if err != nil {
		return 0, err
	}
	defer store.Close()
	if do != nil {
		if err := do(store); err != nil {
			return 0, err
		}
	}
	return store.GlobalEpoch(ctx)
}

// checkpoint moves the write-ahead log into the file, so that the file alone is
// the whole database.
func checkpoint(ctx context.Context, db *sql.DB) error {
	_, err := db.ExecContext(ctx, "PRAGMA wal_checkpoint(TRUNCATE)")
	return err
}
