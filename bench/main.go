package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"syscall"
	"time"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := run(ctx, os.Args[1:])
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "bench: "+err.Error())
		os.Exit(1)
	}
}

func run(ctx context.Context, args []string) error {
	if len(args) > 0 && args[0] == serveCommand {
		return serve(ctx, args[1:])
	}
	if len(args) > 0 && args[0] == feedCommand {
		return serveFeed(ctx, args[1:])
	}
	if len(args) > 0 && args[0] == relaysCommand {
		return relays(ctx, args[1:], os.Stdout)
	}
	flags := flag.NewFlagSet("bench", flag.ContinueOnError)
	var b bench
	out := flags.String("out", "", "also write the report to this `file`")
	quick := flags.Bool("quick", false, "a fifth of the time: shows that everything runs, proves little")
	flags.StringVar(&b.lanyard, "lanyard", "", "the server's `binary`, built from the same tree; empty: its rows are left out")
	scale := flags.Bool("scale", false, "measure what a million sessions cost, and nothing else: takes half an hour")
	keep := flags.Bool("keep", false, "with -only: replace that part of the report")
	flags.StringVar(&b.only, "only", "", "measure nothing but this `group`")
	flags.StringVar(&b.engine, "engine", "", "with -scale: measure nothing but this `engine`; keeps nothing")
	flags.StringVar(&b.command, "command", "bench", "the `command` that the report names")
	if err := flags.Parse(args); err != nil {
		return err
	}
	if flags.NArg() > 0 {
		return fmt.Errorf("no argument %q is known", flags.Arg(0))
	}
	if b.engine != "" {
		if !*scale {
			return errors.New("-engine is for -scale")
		}
		*out = ""
	}
	if *scale {
		b.only = scaleGroup
	}
	if *keep && (b.only == "" || *scale || *out == "") {
		return errors.New("-keep is for -only, with -out")
	}
	if b.only != "" && !*scale && !*keep && *out != "" {
		return errors.New("-out takes a whole run, -scale, or -only with -keep")
	}
	kept := "" // the page so far
	if *out != "" {
		old, err := os.ReadFile(*out)
		if err != nil && !errors.Is(err, os.ErrNotExist) {
			return err
		}
		kept = string(old)
	}
	if *scale && *out != "" {
		// Better now than in half an hour.
		if _, err := withScale(kept, ""); err != nil {
			return err
		}
	}
	b.scale = 1
	if *quick {
		b.scale = 0.2
	}
	var err error
	if b.dir, err = os.MkdirTemp("", "lanyard-bench-"); err != nil {
		return fmt.Errorf("making a directory for databases: %w", err)
	}
	defer os.RemoveAll(b.dir)
	r, err := b.measure(ctx)
	if err != nil {
		return err
	}
	text, err := r.markdown()
	if err != nil {
		return err
	}
	fmt.Print(text)
	if *out == "" {
		return nil
	}
	switch {
	case *scale:
		text, err = withScale(kept, text)
	case *keep:
		text, err = withSection(kept, r)
	default:
		text, err = withScale(text, scaleOf(kept))
	}
	if err != nil {
		return err
	}
	return os.WriteFile(*out, []byte(text), 0o644)
}

// bench is one run over everything.
type bench struct {
	lanyard string  // the server's binary, or empty
	command string  // for the report
	only    string  // the one group that is measured, or empty
	engine  string  // the one engine that is measured with -scale, or empty
	dir     string  // for databases, on a disk
	scale   float64 // of the time spent on each comparison
}

// group is a part of a run.
type group struct {
	name    string
	measure func(ctx context.Context, dir string) (section, error)
}

// scaleGroup is measured only when it is asked for: it takes long.
const scaleGroup = "scale"

// measure takes all measurements, one group after another.
func (b *bench) measure(ctx context.Context) (*report, error) {
	r := &report{Command: b.command, Quick: b.scale < 1, Scale: b.only == scaleGroup}
	start, load := time.Now(), loadAverage()
	groups := []group{
		// The heap is measured first, while it is empty.
		{"memory", b.memory},
		{"middleware", b.middleware},
		{"browser", b.browser},
		{"tokens", b.tokens},
		{"revocation", b.revocations},
		{"durable creation", b.durable},
		{"stores", b.stores},
		{"server", b.server},
		{"HTTP", b.http},
	}
	if b.only == scaleGroup {
		groups = []group{{scaleGroup, b.many}}
	}
	for _, group := range groups {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		if b.only != "" && b.only != group.name {
			continue
		}
		fmt.Fprintf(os.Stderr, "measuring: %s\n", group.name)
		dir, err := os.MkdirTemp(b.dir, "")
		if err != nil {
			return nil, err
		}
		s, err := group.measure(ctx, dir)
		if err != nil {
			return nil, fmt.Errorf("measuring %s: %w", group.name, err)
		}
		r.Sections = append(r.Sections, s)
		if err := os.RemoveAll(dir); err != nil {
			return nil, err
		}
	}
	if len(r.Sections) == 0 {
		return nil, fmt.Errorf("no group %q is known", b.only)
	}
	var err error
	if r.Facts, err = machine(b.dir, load); err != nil {
		return nil, err
	}
	r.Took = time.Since(start).Round(time.Second)
	return r, nil
}

// span is so much time, or less in a quick run.
func (b *bench) span(full time.Duration) time.Duration {
	return time.Duration(float64(full) * b.scale)
}

// sub makes a directory of its own in dir for a contender.
func sub(dir string) (string, error) { return os.MkdirTemp(dir, "") }

// closeAll closes in the opposite order and keeps what went wrong first.
func closeAll(err *error, closers []func() error) {
	for i := len(closers) - 1; i >= 0; i-- {
		*err = errors.Join(*err, closers[i]())
	}
}
