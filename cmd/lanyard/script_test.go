package main

import (
	"errors"
	"flag"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"
)

var update = flag.Bool("update", false, "write the output that scripts compare with into them")

// TestCommands runs the scripts in testdata, which use the program as a person
// at a terminal does. Besides testscript's own commands they know:
//
//	serve [ARG...]            start a server on ./lanyard-data; $URL is its address
//	halt                      interrupt it; it must exit with 0. (A stop is
//	                          testscript's own end of a script.)
//	crash                     kill it with SIGKILL
//	code N PROGRAM [ARG...]   run a program, which must exit with N
//	http N METHOD PATH [HEADER...] [BODY]
//	                          make a request, which must be answered with status N
//	capture NAME REGEXP       set $NAME to what the group matches in the last output
//	mode PERM FILE...         the files must have this mode
//
// req: KEY-14, LIFE-21, OPS-10
func TestCommands(t *testing.T) {
	testscript.Run(t, testscript.Params{
		Dir:                 "testdata",
		RequireExplicitExec: true,
		RequireUniqueNames:  true,
		UpdateScripts:       *update,
		Setup: func(e *testscript.Env) error {
			e.Setenv("PATH", filepath.Dir(binary)+string(os.PathListSeparator)+e.Getenv("PATH"))
			e.Vars = append(e.Vars, quickExit)
			e.Values[serversKey{}] = &[]*process{}
			return nil
		},
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"serve": scriptServe, "halt": scriptHalt, "crash": scriptCrash, "code": scriptCode,
			"http": scriptHTTP, "capture": scriptCapture, "mode": scriptMode,
		},
	})
}

type serversKey struct{}

// servers of a script, the newest last.
func servers(ts *testscript.TestScript) *[]*process {
	return ts.Value(serversKey{}).(*[]*process)
}

func running(ts *testscript.TestScript) *process {
	list := *servers(ts)
	if len(list) == 0 {
		ts.Fatalf("no server runs")
	}
	return list[len(list)-1]
}

func scriptServe(ts *testscript.TestScript, neg bool, args []string) {
	p, err := launch(ts.MkAbs("lanyard-data"), args...)
	ts.Check(err)
	fmt.Fprint(ts.Stdout(), p.out)
	fmt.Fprint(ts.Stderr(), p.log)
	switch {
	case p.url == "" && !neg:
		ts.Fatalf("the server stopped with code %d", p.code)
	case p.url == "":
		return
	}
	ts.Defer(func() {
		p.cmd.Process.Kill()
		<-p.exited
	})
	if neg {
		ts.Fatalf("the server started")
	}
	list := servers(ts)
	*list = append(*list, p)
	ts.Setenv("URL", p.url)
}

func end(ts *testscript.TestScript, how func(*process) error) *process {
	p := running(ts)
	ts.Check(how(p))
	<-p.exited
	list := servers(ts)
	*list = (*list)[:len(*list)-1]
	fmt.Fprint(ts.Stdout(), p.out)
	fmt.Fprint(ts.Stderr(), p.log)
	return p
}

func scriptHalt(ts *testscript.TestScript, neg bool, args []string) {
	p := end(ts, func(p *process) error { return p.cmd.Process.Signal(os.Interrupt) })
	if p.code != 0 {
		ts.Fatalf("the server stopped with code %d", p.code)
	}
}

func scriptCrash(ts *testscript.TestScript, neg bool, args []string) {
	end(ts, func(p *process) error { return p.cmd.Process.Kill() })
}

func scriptCode(ts *testscript.TestScript, neg bool, args []string) {
	want, err := strconv.Atoi(args[0])
	ts.Check(err)
	got := 0
	if err := ts.Exec(args[1], args[2:]...); err != nil {
		exit, ok := errors.AsType[*exec.ExitError](err)
		if !ok {
			ts.Check(err)
		}
		got = exit.ExitCode()
	}
	if got != want {
		ts.Fatalf("exit code %d, want %d", got, want)
	}
}

func scriptHTTP(ts *testscript.TestScript, neg bool, args []string) {
	want, err := strconv.Atoi(args[0])
	ts.Check(err)
	method, path, rest := args[1], args[2], args[3:]
	var headers []string
	for len(rest) > 0 && regexp.MustCompile(`^[A-Za-z-]+: `).MatchString(rest[0]) {
		headers, rest = append(headers, rest[0]), rest[1:]
	}
	r, err := running(ts).try(method, path, strings.Join(rest, ""), headers...)
	ts.Check(err)
	for _, name := range slices.Sorted(maps.Keys(r.header)) {
		for _, value := range r.header[name] {
			fmt.Fprintf(ts.Stdout(), "%s: %s\n", name, value)
		}
	}
	fmt.Fprintf(ts.Stdout(), "\n%s\n", r.body)
	if r.status != want {
		ts.Fatalf("%s: status %d, want %d", r.request, r.status, want)
	}
}

func scriptCapture(ts *testscript.TestScript, neg bool, args []string) {
	m := regexp.MustCompile("(?m)" + args[1]).FindStringSubmatch(ts.ReadFile("stdout"))
	if len(m) != 2 {
		ts.Fatalf("%s is not in the last output", args[1])
	}
	ts.Setenv(args[0], m[1])
}

func scriptMode(ts *testscript.TestScript, neg bool, args []string) {
	want, err := strconv.ParseUint(args[0], 8, 32)
	ts.Check(err)
	for _, pattern := range args[1:] {
		files, err := filepath.Glob(ts.MkAbs(pattern))
		ts.Check(err)
		if len(files) == 0 {
			ts.Fatalf("no file %s", pattern)
		}
		for _, f := range files {
			info, err := os.Stat(f)
			ts.Check(err)
			if got := info.Mode().Perm(); got != os.FileMode(want) {
				ts.Fatalf("%s has mode %04o, want %04o", f, got, want)
			}
		}
	}
}
