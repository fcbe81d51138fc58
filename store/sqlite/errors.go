package sqlite

import (
	"errors"
	"fmt"
)

// What this store answers besides the errors of [lanyard.Store]. A call that got
// one of these has changed nothing, except that after [ErrIO] nobody knows until
// the file can be read again.
var (
	// ErrClosed: the store has been closed.
	ErrClosed = errors.New("sqlite: store is closed")
	// ErrLocked: another process kept the file locked for the whole busy
	// timeout.
	ErrLocked = errors.New("sqlite: another process holds the lock on the database: stop it, or try again when it is done")
	// ErrFull: the disk, or the page limit set for the file, is full.
	ErrFull = errors.New("sqlite: no room for the database: free space on its disk and try again")
	// ErrAccess: the file cannot be opened, or not for writing.
	ErrAccess = errors.New("sqlite: the database cannot be opened for writing: check that its folder exists, and the owner and mode of both")
	// ErrIO: the operating system failed to read, write or sync the file.
	ErrIO = errors.New("sqlite: reading or writing the database failed: check the disk")
	// ErrCorrupt: the file is damaged, or not a database at all.
	ErrCorrupt = errors.New("sqlite: the database is damaged: stop the server and restore a backup")
	// ErrOldSchema: the tables were made by an older program.
	ErrOldSchema = errors.New("sqlite: the tables are of an older version: run lanyard migrate up")
	// ErrNewSchema: the tables were made by a newer program.
	ErrNewSchema = errors.New("sqlite: the tables are of a newer version: run the program that made them, or a later one")
)

// SQLite's primary result codes. They are part of its file-format-stable
// interface; see https://sqlite.org/rescode.html.
const (
	codeBusy     = 5
	codeLocked   = 6
	codeReadOnly = 8
	codeIOErr    = 10
	codeCorrupt  = 11
	codeFull     = 13
	codeCantOpen = 14
	codeNotADB   = 26
)

// explain adds to an error of the engine what its reader can do about it. It
// asks for the code through a method, so that no driver has to be imported; an
// error without one passes unchanged.
func explain(err error) error {
	coded, ok := errors.AsType[interface {
		error
		Code() int
	}](err)
	if !ok {
		return err
	}
	var meaning error
	switch coded.Code() & 0xff {
	case codeBusy, codeLocked:
		meaning = ErrLocked
	case codeFull:
		meaning = ErrFull
	case codeReadOnly, codeCantOpen:
		meaning = ErrAccess
	case codeIOErr:
		meaning = ErrIO
	case codeCorrupt, codeNotADB:
		meaning = ErrCorrupt
	default:
		return err
	}
	return fmt.Errorf("%w (%w)", meaning, err)
}
