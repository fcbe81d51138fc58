package main

import (
	"encoding/json"
	"fmt"
	"io"
	"os"
	"reflect"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/term"

	"github.com/lanyard-go/lanyard"
	"github.com/lanyard-go/lanyard/internal/server"
)

func serveCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "serve",
		Short: "run the server",
		Long: `Runs the server. In an empty directory it makes a data directory with a
database and keys, adds an administrator, and prints the address to open.

Settings come from flags, then the environment, then lanyard.toml, then the
defaults. When everything listens, one line "ready URL" is printed on standard
output. SIGTERM lets requests finish and exits 0.`,
		Example: "  lanyard serve\n  lanyard serve --listen 127.0.0.1:9090 --profile strict --max-sessions 5\n  lanyard serve --print-config",
		Args:    cobra.NoArgs,
	}
	addFlags(cmd)
	show := cmd.Flags().Bool("print-config", false, "print the settings in force and where each came from, then exit")
	asJSON := cmd.Flags().Bool("json", false, "with --print-config: as JSON")
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		cfg, all, err := load(cmd)
		if err != nil {
			return err
		}
		if *show {
			return printConfig(cmd.OutOrStdout(), cfg, all, *asJSON)
		}
		return serve(cmd, cfg)
	}
	return cmd
}

func serve(cmd *cobra.Command, cfg server.Config) error {
	ctx := cmd.Context()
	l, err := server.Listen(cfg.Listen)
	if err != nil {
		return err
	}
	defer l.Close()
	s, err := server.Open(ctx, cfg, server.Options{Drivers: drivers, Logs: cmd.ErrOrStderr(), Addr: l.Addr()})
	if err != nil {
		return err
	}
	defer s.Close()
	out := cmd.OutOrStdout()
	show := isTerminal(out)
	admin, err := s.FirstStart(ctx, show)
	if err != nil {
		return err
	}
	err = s.Serve(ctx, l, func() {
		switch {
		case admin != nil && show:
			fmt.Fprintf(out, "\nThis is the first start. Sign in as the administrator:\n\n  address   %s/login\n  name      %s\n  password  %s\n\nThe password is shown this once. Change it on the account page.\n\n", s.URL(), admin.Name, admin.Password.Reveal())
		case admin != nil:
			fmt.Fprintf(cmd.ErrOrStderr(), "first start: the administrator's name and password are in %s, until their first login\n", s.InitialFile())
		}
		fmt.Fprintf(out, "ready %s\n", s.URL())
	})
	if err != nil {
		return err
	}
	return s.Close()
}

func isTerminal(w io.Writer) bool {
	f, ok := w.(*os.File)
	return ok && term.IsTerminal(int(f.Fd()))
}

// printConfig shows every setting with its source, and the limits of the profile
// that follow from them: what an operator puts on record.
func printConfig(w io.Writer, cfg server.Config, all []*setting, asJSON bool) error {
	policy, derived, err := server.Effective(cfg)
	if err != nil {
		return err
	}
	type line struct {
		Setting string `json:"setting"`
		Value   string `json:"value"`
		Source  string `json:"source"`
	}
	var lines []line
	for _, s := range all {
		value := format(reflect.ValueOf(cfg).FieldByIndex(s.index))
		source := s.source
		if v, ok := derived[s.name]; ok && source == "default" {
			value = v
		}
		if v, ok := fromProfile(s.name, policy); ok && source == "default" {
			value, source = v, "profile "+policy.Profile
		}
		lines = append(lines, line{s.name, value, source})
	}
	if asJSON {
		e := json.NewEncoder(w)
		e.SetIndent("", "  ")
		return e.Encode(lines)
	}
	for _, l := range lines {
		fmt.Fprintf(w, "%-24s %-28s # %s\n", strings.ReplaceAll(l.Setting, "-", "_"), l.Value, l.Source)
	}
	return nil
}

// fromProfile is the value that a profile gives a setting nobody set.
func fromProfile(name string, p lanyard.Policy) (string, bool) {
	switch name {
	case "idle-timeout":
		return p.IdleTimeout.String(), true
	case "token-idle-timeout":
		return p.TokenIdleTimeout.String(), true
	case "absolute-timeout":
		return p.AbsoluteTimeout.String(), true
	case "access-token-ttl":
		return p.AccessTokenTTL.String(), true
	case "recent-auth":
		return p.RecentAuth.String(), true
	case "refresh-retry-window":
		return max(0, p.RefreshRetryWindow).String(), true
	case "binding":
		return string(p.Binding), true
	}
	return "", false
}

func format(v reflect.Value) string {
	switch x := v.Interface().(type) {
	case time.Duration:
		return x.String()
	case string:
		return fmt.Sprintf("%q", server.Hidden(x))
	case []string:
		return "[" + strings.Join(x, ", ") + "]"
	default:
		return fmt.Sprint(x)
	}
}
