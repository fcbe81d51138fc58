package main

import (
	"bytes"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"
)

// makers are the commands that make a data directory: those that may come before
// the first start, and those that are one.
var makers = []string{"lanyard serve", "lanyard users add", "lanyard users import", "lanyard clients add", "lanyard restore"}

// Every other command on a data directory that is not there says so and makes
// nothing: a mistyped place must not look like an empty one.
func TestCommandsMakeNoDataDirectory(t *testing.T) {
	args := map[string][]string{
		"lanyard users disable": {"ada"}, "lanyard users enable": {"ada"}, "lanyard users reset": {"ada"},
		"lanyard users passwd":  {"ada", "--password-stdin"},
		"lanyard migrate":       {"--from", "sqlite:/nowhere/from.db", "--to", "sqlite:/nowhere/to.db"},
		"lanyard sessions show": {"x"}, "lanyard sessions revoke": {"--all"},
		"lanyard clients remove": {"x"}, "lanyard keys withdraw": {"x"}, "lanyard backup": {"copy.tar"},
	}
	tried := 0
	for _, cmd := range commands(rootCommand()) {
		path := cmd.CommandPath()
		if cmd.Flags().Lookup("data") == nil || slices.Contains(makers, path) {
			continue
		}
		tried++
		room := t.TempDir()
		data := filepath.Join(room, "lanyard-data")
		line := append(strings.Fields(path)[1:], args[path]...)
		var out, problems bytes.Buffer
		says := "setting data: " + data + " is not there"
		if path == "lanyard migrate" { // its stores are named apart from the directory
			says = "setting from: "
		}
		code := run(t.Context(), append(line, "--data", data), strings.NewReader(goodPassword+"\n"), &out, &problems)
		if code != 1 || !strings.Contains(problems.String(), says) || out.Len() > 0 {
			t.Errorf("%s: exit code %d, %q %q", path, code, &out, &problems)
		}
		if left, err := os.ReadDir(room); err != nil || len(left) > 0 {
			t.Errorf("%s made %v, %v", path, left, err)
		}
	}
	if tried < 15 {
		t.Errorf("only %d commands work on a data directory", tried)
	}
}

// Looking at the schema changes nothing in a data directory either.
func TestMigrateStatusMakesNoDatabase(t *testing.T) {
	data := t.TempDir()
	var out, problems bytes.Buffer
	if code := run(t.Context(), []string{"migrate", "status", "--data", data}, strings.NewReader(""), &out, &problems); code != 0 {
		t.Fatalf("exit code %d: %s", code, &problems)
	}
	if left, err := os.ReadDir(data); err != nil || len(left) > 0 {
		t.Errorf("it made %v, %v", left, err)
	}
}

// A limit of zero is not "none": it is refused wherever it is given, by the name
// of the setting. The retry window alone can be off.
//
// req: OPS-10
func TestADurationOfNothingIsRefusedWhereverItIsGiven(t *testing.T) {
	zeros := []string{"0", "0s", "0h0m", "-0s", "+0ms"}
	tried := 0
	for _, s := range settings() {
		if s.kind != reflect.TypeFor[time.Duration]() {
			continue
		}
		tried++
		for _, zero := range zeros {
			for source, give := range map[string]func(t *testing.T) []string{
				"flag --" + s.name: func(*testing.T) []string { return []string{"--" + s.name + "=" + zero} },
				"environment " + s.env(): func(t *testing.T) []string {
					t.Setenv(s.env(), zero)
					return nil
				},
				"file ": func(t *testing.T) []string {
					file := filepath.Join(t.TempDir(), "lanyard.toml")
					if err := os.WriteFile(file, []byte(s.key()+" = \""+zero+"\"\n"), 0o600); err != nil {
						t.Fatal(err)
					}
					return []string{"--config", file}
				},
			} {
				t.Run(s.name+" "+zero+" "+source, func(t *testing.T) {
					var out, problems bytes.Buffer
					code := run(t.Context(), append([]string{"serve", "--print-config"}, give(t)...), strings.NewReader(""), &out, &problems)
					if s.name == "refresh-retry-window" {
						if code != 0 || !strings.Contains(out.String(), s.key()) {
							t.Errorf("exit code %d: %s", code, &problems)
						}
						return
					}
					if code != 2 || !strings.Contains(problems.String(), "setting "+s.name+" ("+source) || !strings.Contains(problems.String(), "must be longer than 0") {
						t.Errorf("exit code %d: %s", code, &problems)
					}
				})
			}
		}
	}
	if tried < 7 {
		t.Errorf("only %d settings are durations", tried)
	}
}

// A number without a unit in the file is no duration, zero included.
func TestABareZeroInTheFileIsRefused(t *testing.T) {
	for _, s := range settings() {
		if s.kind != reflect.TypeFor[time.Duration]() {
			continue
		}
		file := filepath.Join(t.TempDir(), "lanyard.toml")
		if err := os.WriteFile(file, []byte(s.key()+" = 0\n"), 0o600); err != nil {
			t.Fatal(err)
		}
		var out, problems bytes.Buffer
		code := run(t.Context(), []string{"serve", "--print-config", "--config", file}, strings.NewReader(""), &out, &problems)
		if code != 2 || !strings.Contains(problems.String(), "setting "+s.name+" (file ") {
			t.Errorf("%s: exit code %d: %s", s.name, code, &problems)
		}
	}
}
