package postgres

import (
	"context"
	"errors"
	"fmt"

	"github.com/lanyard-go/lanyard"
)

// What this store answers besides the errors of [lanyard.Store]. A call that got
// one of them refused; whether its step happened is known only where it says so.
var (
	// ErrClosed: the store has been closed. Nothing happened.
	ErrClosed = errors.New("postgres: store is closed")
	// ErrUnavailable: the server cannot be reached, is starting or stopping, or
	// a connection broke. A write may have happened.
	ErrUnavailable = errors.New("postgres: the server is not available: check that it runs and can be reached from here")
	// ErrUnknown: the call was given up while its transaction was on the way. A
	// write may have happened.
	ErrUnknown = errors.New("postgres: gave up before the server answered")
	// ErrConnections: the server has no connection left. Nothing happened.
	ErrConnections = errors.New("postgres: the server has no connection left: raise max_connections or lower the pool's size")
	// ErrReadOnly: the server, the database or the role only reads. Nothing
	// happened.
	ErrReadOnly = errors.New("postgres: this connection may only read: connect to the primary server, and check default_transaction_read_only")
	// ErrFull: the server's disk is full. Nothing happened.
	ErrFull = errors.New("postgres: no room on the server's disk: free space there and try again")
	// ErrAccess: the role or its password was refused, or the role lacks a
	// right. Nothing happened.
	ErrAccess = errors.New("postgres: access refused: check user, password, pg_hba.conf and the rights of the role")
	// ErrBusy: others were in the way for too long. Nothing happened.
	ErrBusy = errors.New("postgres: other transactions were in the way: look for long ones in pg_stat_activity")
	// ErrSlow: the server ended the statement at its time limit. Nothing
	// happened.
	ErrSlow = errors.New("postgres: the statement took longer than statement_timeout allows")
	// ErrSettings: the server or the database cannot be used as it is.
	ErrSettings = errors.New("postgres: the server or database cannot be used as it is")
	// ErrNoSchema: there are no tables, and this program was told not to make
	// any, or may not.
	ErrNoSchema = errors.New("postgres: the tables are missing: run lanyard migrate up with a role that may create them")
	// ErrOldSchema: the tables were made by an older program.
	ErrOldSchema = errors.New("postgres: the tables are of an older version: run lanyard migrate up")
	// ErrNewSchema: the tables were made by a newer program.
	ErrNewSchema = errors.New("postgres: the tables are of a newer version: run the program that made them, or a later one")
	// ErrForeign: the schema holds tables of these names that this program did
	// not make.
	ErrForeign = errors.New("postgres: the schema is used by another program: choose another schema or database")
)

// SQLSTATE codes, https://www.postgresql.org/docs/current/errcodes-appendix.html.
const (
	stateSerialization     = "40001"
	stateDeadlock          = "40P01"
	stateReadOnly          = "25006"
	stateWrongIsolation    = "25001" // raised by our functions
	stateDiskFull          = "53100"
	stateConnections       = "53300"
	stateQueryCanceled     = "57014"
	stateLockNotAvailable  = "55P03"
	stateNoRight           = "42501"
	stateNoDatabase        = "3D000"
	stateUndefinedTable    = "42P01"
	stateUndefinedColumn   = "42703"
	stateUndefinedFunction = "42883"
	stateNoSchema          = "3F000"
	stateDatatypeMismatch  = "42804"
)

// sqlState returns the code of an error that the server reported, or the empty
// string. It asks through a method, so that no driver has to be imported.
func sqlState(err error) string {
	coded, ok := errors.AsType[interface {
		error
		SQLState() string
	}](err)
	if !ok {
		return ""
	}
	return coded.SQLState()
}

// rolledBack reports whether the server said that the statement failed. Its
// transaction has left no trace then. Nothing of the kind is known when the
// server was shutting down (class 57P) or the connection broke (08).
func rolledBack(err error) bool {
	state := sqlState(err)
	return len(state) == 5 && state[:2] != "08" && (state[:2] != "57" || state == stateQueryCanceled)
}

// repeatable reports whether the step lost against another one and left no
// trace, so that trying again makes sense.
func repeatable(err error) bool {
	state := sqlState(err)
	return state == stateSerialization || state == stateDeadlock
}

// explain adds to an error of the engine what its reader can do about it.
func explain(err error) error {
	if err == nil {
		return nil
	}
	state := sqlState(err)
	var meaning error
	switch state {
	case "":
		// No answer from the server: a broken or refused connection, or a
		// context that ended.
		return unanswered(err)
	case stateReadOnly:
		meaning = ErrReadOnly
	case stateWrongIsolation, stateNoDatabase:
		meaning = ErrSettings
	case stateDiskFull:
		meaning = ErrFull
	case stateConnections:
		meaning = ErrConnections
	case stateSerialization, stateDeadlock, stateLockNotAvailable:
		meaning = ErrBusy
	case stateQueryCanceled:
		meaning = ErrSlow
	case stateNoRight:
		meaning = ErrAccess
	case stateUndefinedTable, stateUndefinedFunction, stateNoSchema:
		meaning = ErrNoSchema
	default:
		switch state[:2] {
		case "08", "57":
			meaning = ErrUnavailable
		case "28":
			meaning = ErrAccess
		default:
			return err
		}
	}
	return fmt.Errorf("%w (%w)", meaning, err)
}

// unanswered explains an error that the server did not send.
func unanswered(err error) error {
	for _, own := range []error{
		context.Canceled, context.DeadlineExceeded, ErrForeign, ErrClosed, ErrReadOnly,
		lanyard.ErrNotFound, lanyard.ErrExists, lanyard.ErrConflict, lanyard.ErrEnded, lanyard.ErrLimit,
		lanyard.ErrBadCursor, lanyard.ErrBadRecord, errOtherSubject,
	} {
		if errors.Is(err, own) {
			return err
		}
	}
	return fmt.Errorf("%w (%w)", ErrUnavailable, err)
}
