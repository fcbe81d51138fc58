package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
)

// connection is a connection of the store's own with its prepared statements,
// by their text.
type connection struct {
	conn *sql.Conn
	stmt map[string]*sql.Stmt
}

// connect takes a connection, checks its settings and prepares the statements.
func connect(ctx context.Context, db *sql.DB, statements []string) (*connection, error) {
	conn, err := db.Conn(ctx)
	if err != nil {
		return nil, fmt.Errorf("connecting: %w", explain(err))
	}
	c := &connection{conn: conn, stmt: make(map[string]*sql.Stmt, len(statements))}
	if err := checkSettings(ctx, conn); err != nil {
		return nil, errors.Join(err, c.close())
	}
	for _, text := range statements {
		if c.stmt[text], err = conn.PrepareContext(ctx, text); err != nil {
			delete(c.stmt, text)
			return nil, errors.Join(fmt.Errorf("preparing statements: %w", explain(err)), c.close())
		}
	}
	return c, nil
}

// close gives the connection back to its pool. The statements are freed first,
// because the pool may go on using the connection.
func (c *connection) close() error {
	var errs []error
	for _, stmt := range c.stmt {
		errs = append(errs, stmt.Close())
	}
	return errors.Join(append(errs, c.conn.Close())...)
}
