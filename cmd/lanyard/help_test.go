package main

import (
	"bytes"
	"slices"
	"strings"
	"testing"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// commands are all commands a person can find, the root first.
func commands(cmd *cobra.Command) []*cobra.Command {
	out := []*cobra.Command{cmd}
	for _, sub := range cmd.Commands() {
		if !sub.Hidden {
			out = append(out, commands(sub)...)
		}
	}
	return out
}

func TestEveryCommandExplainsItselfWithAnExample(t *testing.T) {
	for _, cmd := range commands(rootCommand()) {
		args := append(strings.Fields(cmd.CommandPath())[1:], "--help")
		var out, problems bytes.Buffer
		if code := run(t.Context(), args, strings.NewReader(""), &out, &problems); code != 0 || problems.Len() > 0 {
			t.Errorf("lanyard %q: exit code %d, %s", args, code, &problems)
		}
		if cmd.Short == "" || cmd.Example == "" || !strings.Contains(out.String(), "Examples:\n"+cmd.Example) {
			t.Errorf("%s --help has no description or no example:\n%s", cmd.CommandPath(), &out)
		}
		cmd.LocalFlags().VisitAll(func(f *pflag.Flag) {
			if f.Usage == "" {
				t.Errorf("%s --%s is not explained", cmd.CommandPath(), f.Name)
			}
		})
	}
}

func TestEveryExampleIsACommandThatExists(t *testing.T) {
	for _, cmd := range commands(rootCommand()) {
		own := false
		for line := range strings.Lines(cmd.Example) {
			_, line, ok := strings.Cut("| "+strings.TrimSpace(line), "| lanyard ")
			if !ok {
				t.Errorf("%s: an example does not call lanyard: %s", cmd.CommandPath(), line)
				continue
			}
			line, _, _ = strings.Cut(line, " <")
			line, _, _ = strings.Cut(line, " >")
			words := strings.Fields(strings.NewReplacer("'laptop stolen'", "stolen").Replace(line))
			found, rest, err := rootCommand().Find(words)
			if err != nil {
				t.Errorf("%s: %s: %v", cmd.CommandPath(), line, err)
				continue
			}
			if err := found.ParseFlags(rest); err != nil {
				t.Errorf("%s: %s: %v", cmd.CommandPath(), line, err)
			} else if err := found.ValidateArgs(found.Flags().Args()); err != nil {
				t.Errorf("%s: %s: %v", cmd.CommandPath(), line, err)
			}
			own = own || strings.HasPrefix(found.CommandPath(), cmd.CommandPath())
		}
		if !own {
			t.Errorf("%s: no example is of the command itself", cmd.CommandPath())
		}
	}
}

func TestEveryCommandThatAnswersCanAnswerInJSON(t *testing.T) {
	for _, cmd := range commands(rootCommand()) {
		if !cmd.HasSubCommands() && cmd.Flags().Lookup("json") == nil {
			t.Errorf("%s has no --json", cmd.CommandPath())
		}
	}
}

// Other users of a machine can read its command lines, so that no flag may take
// a secret: those that name one take a file, or standard input.
func TestNoFlagTakesASecret(t *testing.T) {
	harmless := map[string]string{
		"password-stdin": "bool", "password-min-length": "string", "password-words": "stringSlice",
		"access-token-ttl": "string duration", "key-rotation": "string", "require-client-keys": "bool", "token-idle-timeout": "string", "tls-key": "string", "credentials": "string",
		"secret-file": "string",
	}
	seen := 0
	for _, cmd := range commands(rootCommand()) {
		cmd.LocalFlags().VisitAll(func(f *pflag.Flag) {
			for _, word := range []string{"password", "secret", "token", "key", "credential", "code", "cookie"} {
				if !strings.Contains(f.Name, word) || f.Name == "cookie-name" || f.Name == "persistent-cookies" {
					continue
				}
				seen++
				if !slices.Contains(strings.Fields(harmless[f.Name]), f.Value.Type()) {
					t.Errorf("%s --%s may take a secret", cmd.CommandPath(), f.Name)
				}
			}
		})
	}
	if seen < len(harmless) {
		t.Errorf("only %d flags were looked at", seen)
	}
}
