package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"net"
	"strings"
	"time"
)

// commands counts what a Redis server is sent while do runs: each command is a
// round trip for whoever sends it. What scripts call on the server itself is not
// counted, nor is what clients ask by themselves to see whether the server is
// there (PING) and still the primary (ROLE).
func commands(ctx context.Context, address string, do func() error) (n int, err error) {
	watch, err := dialRedis(ctx, address)
	if err != nil {
		return 0, err
	}
	defer watch.conn.Close()
	if err := watch.say("MONITOR"); err != nil {
		return 0, err
	}
	if err := do(); err != nil {
		return 0, err
	}
	// The server shows commands in the order in which it runs them.
	end, err := dialRedis(ctx, address)
	if err != nil {
		return 0, err
	}
	defer end.conn.Close()
	const mark = "all has been counted"
	if err := end.say("ECHO '" + mark + "'"); err != nil {
		return 0, err
	}
	for watch.lines.Scan() {
		line := watch.lines.Text()
		switch {
		case strings.Contains(line, mark):
			return n, nil
		case strings.Contains(line, " lua] "), strings.HasSuffix(line, `"PING"`), strings.HasSuffix(line, `"ROLE"`):
		default:
			n++
		}
	}
	return 0, errors.Join(errors.New("counting commands: the server stopped showing them"), watch.lines.Err())
}

// redisTalk speaks to a Redis server in lines of text.
type redisTalk struct {
	conn  net.Conn
	lines *bufio.Scanner
}

func dialRedis(ctx context.Context, address string) (*redisTalk, error) {
	conn, err := (&net.Dialer{}).DialContext(ctx, "tcp", address)
	if err != nil {
		return nil, fmt.Errorf("connecting to count commands: %w", err)
	}
	if err := conn.SetDeadline(time.Now().Add(time.Minute)); err != nil {
		conn.Close()
		return nil, err
	}
	lines := bufio.NewScanner(conn)
	lines.Buffer(nil, 1<<20) // the text of a script is a line
	return &redisTalk{conn, lines}, nil
}

// say sends a command and reads the first line of the answer.
func (t *redisTalk) say(command string) error {
	if _, err := fmt.Fprintf(t.conn, "%s\r\n", command); err != nil {
		return err
	}
	if !t.lines.Scan() {
		return fmt.Errorf("%s: no answer: %w", command, t.lines.Err())
	}
	if text := t.lines.Text(); strings.HasPrefix(text, "-") {
		return fmt.Errorf("%s: %s", command, text)
	}
	return nil
}
