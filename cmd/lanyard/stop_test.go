package main

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"strings"
	"syscall"
	"testing"
	"time"
)

// inFlight begins a request with a body and returns when its handler waits for
// the body, which the server shows by asking for it.
func inFlight(t *testing.T, p *process, path, body string) net.Conn {
	t.Helper()
	conn, err := net.Dial("tcp", strings.TrimPrefix(p.url, "http://"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	conn.SetDeadline(time.Now().Add(patience))
	fmt.Fprintf(conn, "POST %s HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: %d\r\nExpect: 100-continue\r\n\r\n", path, len(body))
	const goOn = "HTTP/1.1 100 Continue\r\n\r\n"
	line := make([]byte, len(goOn))
	if _, err := io.ReadFull(conn, line); err != nil || string(line) != goOn {
		t.Fatalf("the server did not ask for the body: %q, %v", line, err)
	}
	return conn
}

func TestARequestInFlightFinishesAfterSIGTERM(t *testing.T) {
	t.Parallel()
	p := start(t, dataDir(t))
	p.lanyard(t, goodPassword, "users", "add", "ada", "--password-stdin")
	body := loginBody("ada", goodPassword, "token")
	conn := inFlight(t, p, "/v1/login", body)
	if err := p.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	// Nobody new is let in.
	for end := time.Now().Add(patience); ; {
		c, err := net.Dial("tcp", strings.TrimPrefix(p.url, "http://"))
		if errors.Is(err, syscall.ECONNREFUSED) {
			break
		}
		if err == nil {
			c.Close()
		}
		if time.Now().After(end) {
			t.Fatalf("connections are still taken: %v", err)
		}
	}
	select {
	case <-p.exited:
		t.Fatal("the server stopped with a request in flight")
	default:
	}
	if _, err := io.WriteString(conn, body); err != nil {
		t.Fatal(err)
	}
	res, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	if text := readAll(t, res.Body); res.StatusCode != 200 || !strings.Contains(text, "refresh_token") {
		t.Errorf("the answer is %d %s", res.StatusCode, text)
	}
	if code := p.wait(t); code != 0 {
		t.Errorf("exit code %d:\n%s", code, p.log)
	}
	if out := p.lanyard(t, "", "sessions", "list", "--subject", "ada", "--json"); !strings.Contains(out, `"sid"`) {
		t.Errorf("the login that was answered is lost: %s", out)
	}
}

// Whoever does not want to wait for requests presses Ctrl-C once more.
func TestASecondInterruptStopsAtOnce(t *testing.T) {
	t.Parallel()
	p := start(t, dataDir(t), "--shutdown-timeout", "1h")
	inFlight(t, p, "/v1/login", loginBody("ada", goodPassword, "token"))
	if err := p.cmd.Process.Signal(os.Interrupt); err != nil {
		t.Fatal(err)
	}
	// The first one has arrived when nobody new is let in.
	for end := time.Now().Add(patience); ; {
		c, err := net.Dial("tcp", strings.TrimPrefix(p.url, "http://"))
		if errors.Is(err, syscall.ECONNREFUSED) {
			break
		}
		if err == nil {
			c.Close()
		}
		if time.Now().After(end) {
			t.Fatalf("connections are still taken: %v", err)
		}
	}
	select {
	case <-p.exited:
		t.Fatal("the server stopped with a request in flight")
	default:
	}
	if err := p.cmd.Process.Signal(os.Interrupt); err != nil {
		t.Fatal(err)
	}
	p.wait(t)
	if status, ok := p.cmd.ProcessState.Sys().(syscall.WaitStatus); !ok || status.Signal() != os.Interrupt {
		t.Errorf("it ended with %v:\n%s", p.cmd.ProcessState, p.log)
	}
}

func TestARequestThatNeverEndsDoesNotKeepTheServer(t *testing.T) {
	t.Parallel()
	p := start(t, dataDir(t), "--shutdown-timeout", "100ms")
	conn := inFlight(t, p, "/v1/login", loginBody("ada", goodPassword, "token"))
	if code := p.stop(t); code != 0 {
		t.Errorf("exit code %d:\n%s", code, p.log)
	}
	if !strings.Contains(p.log.String(), "requests did not finish in time and were cut off") {
		t.Errorf("the log does not tell:\n%s", p.log)
	}
	if b, err := io.ReadAll(conn); err == nil && strings.Contains(string(b), "HTTP/1.1 200") {
		t.Errorf("an answer came: %s", b)
	}
}
