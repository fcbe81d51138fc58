package main

import (
	"bufio"
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/lanyard-go/lanyard/bench/contender"
)

// serveCommand is the argument by which this program runs itself as the server
// of one contender.
const serveCommand = "serve"

// serve opens a contender, writes its badges where the client finds them and
// serves until standard input ends, so that it never outlives its parent.
func serve(ctx context.Context, args []string) error {
	flags := flag.NewFlagSet("bench "+serveCommand, flag.ContinueOnError)
	kind := flags.String("kind", "", "the `contender`")
	badges := flags.String("badges", "", "the `file` to write a line for each client to: header, tab, value, and of a site with pages tab and form")
	dir := flags.String("dir", "", "an empty `directory` for databases")
	if err := flags.Parse(args); err != nil {
		return err
	}
	site, err := contender.Open(ctx, contender.Kind(*kind), people, contender.Base{Dir: *dir})
	if err != nil {
		return err
	}
	defer site.Close()
	var lines strings.Builder
	for i, b := range site.Badges {
		fmt.Fprintf(&lines, "%s\t%s", b.Name, b.Value)
		if site.Forms != nil {
			fmt.Fprintf(&lines, "\t%s", site.Forms[i])
		}
		lines.WriteByte('\n')
	}
	if err := os.WriteFile(*badges, []byte(lines.String()), 0o600); err != nil {
		return err
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	srv := &http.Server{Handler: site.Handler}
	go func() {
		io.Copy(io.Discard, os.Stdin)
		srv.Close()
	}()
	fmt.Printf("ready http://%s\n", l.Addr())
	if err := srv.Serve(l); !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	return nil
}

// process is a server that runs beside this program.
type process struct {
	cmd   *exec.Cmd
	stdin io.Closer
	url   string
	took  time.Duration // until it was ready
}

// startProcess runs a server and waits for its line "ready URL".
func startProcess(ctx context.Context, name string, args ...string) (*process, error) {
	cmd := exec.CommandContext(ctx, name, args...)
	var complaints strings.Builder
	cmd.Stderr = &complaints
	in, err := cmd.StdinPipe()
	if err != nil {
		return nil, err
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	began := time.Now()
	if err := cmd.Start(); err != nil {
		return nil, fmt.Errorf("starting %s: %w", filepath.Base(name), err)
	}
	lines := bufio.NewScanner(out)
	for lines.Scan() {
		if url, ok := strings.CutPrefix(lines.Text(), "ready "); ok {
			took := time.Since(began)
			go io.Copy(io.Discard, out)
			return &process{cmd, in, url, took}, nil
		}
	}
	in.Close()
	return nil, fmt.Errorf("%s ended before it was ready: %w: %s", filepath.Base(name), errors.Join(lines.Err(), cmd.Wait()), complaints.String())
}

// startSite runs a contender's server, with so much in front of its command.
func startSite(ctx context.Context, dir string, front []string, kind contender.Kind) (*target, *process, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, nil, err
	}
	home, err := sub(dir)
	if err != nil {
		return nil, nil, err
	}
	badges := filepath.Join(home, "badges")
	args := slices.Concat(front, []string{self, serveCommand, "-kind", string(kind), "-badges", badges, "-dir", home})
	p, err := startProcess(ctx, args[0], args[1:]...)
	if err != nil {
		return nil, nil, fmt.Errorf("%s: %w", kind, err)
	}
	return &target{pid: p.cmd.Process.Pid, url: p.url, badges: badges}, p, nil
}

// stop asks the process to end and waits for it.
func (p *process) stop() error {
	p.stdin.Close()
	if err := p.cmd.Process.Signal(os.Interrupt); err != nil && !errors.Is(err, os.ErrProcessDone) {
		return err
	}
	err := p.cmd.Wait()
	if exit, ok := errors.AsType[*exec.ExitError](err); ok && !exit.Exited() {
		return nil // by the signal
	}
	return err
}
