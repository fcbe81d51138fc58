package main

import (
	"fmt"
	"io"
	"path/filepath"
	"runtime/debug"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"github.com/lanyard-go/lanyard/audit"
	"github.com/lanyard-go/lanyard/internal/server"
)

func migrateCommand() *cobra.Command {
	cmd := group("migrate", "the database schema, and moving sessions between stores",
		"  lanyard migrate status\n  lanyard migrate --from sqlite:lanyard-data/sessions.db --to postgres://lanyard@db.example/lanyard?sslmode=verify-full")
	cmd.Long = `Without a subcommand, --from and --to move the sessions of one store into
another, empty one. Stop the server first. Nobody is signed out, and what has
ended stays ended. The first store is marked, so that no server starts on it by
mistake; point --store at the second one. The same command finishes a move that
was interrupted.`
	addFlags(cmd, "data", "insecure-plaintext-store")
	from := cmd.Flags().String("from", "", "the store the sessions are in")
	to := cmd.Flags().String("to", "", "the empty store they shall be in")
	cmd.Flags().Bool("json", false, "print JSON")
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		switch {
		case len(args) > 0:
			return usage("unknown command %q; see %s --help", args[0], cmd.CommandPath())
		case *from == "" && *to == "":
			return cmd.Help()
		}
		if *from == "" || *to == "" {
			return usage("--from and --to go together")
		}
		cfg, _, err := load(cmd)
		if err != nil {
			return err
		}
		moved, err := server.Move(cmd.Context(), drivers, cfg, *from, *to)
		if err != nil {
			return err
		}
		return show(cmd, moved, func(w io.Writer) {
			fmt.Fprintf(w, "moved %d sessions and %d feed entries from %s to %s\nstart the server with --store set to that address\n", moved.Records, moved.Entries, moved.From, moved.To)
		})
	}
	status := &cobra.Command{Use: "status", Short: "show schema versions", Example: "  lanyard migrate status", Args: exactly(0)}
	up := &cobra.Command{Use: "up", Short: "bring the schema to this program's version", Example: "  lanyard migrate up", Args: exactly(0)}
	for _, sub := range []*cobra.Command{status, up} {
		addFlags(sub, "data", "store", "directory")
		sub.Flags().Bool("json", false, "print JSON")
		sub.RunE = func(cmd *cobra.Command, args []string) error {
			cfg, _, err := load(cmd)
			if err != nil {
				return err
			}
			list, err := server.Schemas(cmd.Context(), drivers, cfg, cmd == up)
			if err != nil {
				return err
			}
			return show(cmd, list, func(w io.Writer) {
				t := tabwriter.NewWriter(w, 0, 4, 2, ' ', 0)
				fmt.Fprintln(t, "DATABASE\tVERSION\tLATEST\tFILE")
				for _, s := range list {
					fmt.Fprintf(t, "%s\t%d\t%d\t%s\n", s.Name, s.Version, s.Latest, s.File)
				}
				t.Flush()
			})
		}
		cmd.AddCommand(sub)
	}
	return cmd
}

func backupCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use: "backup FILE", Short: "copy sessions and directory into a file, while the server runs",
		Long:    "Writes a backup of the SQLite databases of a data directory. Keys and secrets are never in it: keep those apart.",
		Example: "  lanyard backup lanyard-backup.tar", Args: exactly(1),
	}
	adminFlags(cmd)
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		path, err := filepath.Abs(args[0])
		if err != nil {
			return err
		}
		return withCaller(cmd, func(c *caller) error {
			if c.remote {
				return usage("a backup is made on the server's machine")
			}
			if err := c.call(cmd.Context(), "POST", "/local/backup", map[string]string{"path": path}, nil); err != nil {
				return err
			}
			return show(cmd, map[string]string{"file": path}, func(w io.Writer) { fmt.Fprintf(w, "wrote %s\n", path) })
		})
	}
	return cmd
}

func restoreCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use: "restore FILE", Short: "put a backup into a data directory that no server uses",
		Long:    "Restores a backup. The global epoch is raised above every one ever used, so that a session that was ended since the backup stays ended: everybody signs in again. The databases that were there are kept beside, as *.before-restore-TIME.",
		Example: "  lanyard restore lanyard-backup.tar", Args: exactly(1),
	}
	addFlags(cmd, "data", "store", "directory")
	cmd.Flags().Bool("json", false, "print JSON")
	keep := cmd.Flags().Bool("insecure-keep-sessions", false, "leave the sessions of the backup live, also those that were ended since")
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		cfg, _, err := load(cmd)
		if err != nil {
			return err
		}
		if err := server.Restore(cmd.Context(), drivers, cfg, args[0], *keep); err != nil {
			return err
		}
		if *keep {
			fmt.Fprintln(cmd.ErrOrStderr(), "warning: sessions of the backup are live again, also those that were ended since it was made")
		}
		return show(cmd, map[string]string{"restored": args[0]}, func(w io.Writer) { fmt.Fprintf(w, "restored %s\n", args[0]) })
	}
	return cmd
}

func verifyAuditCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use: "verify-audit FILE", Short: "check the hash chain of an audit trail",
		Example: "  lanyard verify-audit lanyard-data/audit.log", Args: exactly(1),
	}
	cmd.Flags().Bool("json", false, "print JSON")
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		report, err := audit.VerifyFile(args[0])
		if err != nil {
			return err
		}
		out := struct {
			Lines    int        `json:"lines"`
			Head     audit.Head `json:"head"`
			Repairs  int        `json:"repairs"`
			Anchored bool       `json:"anchored"`
		}{report.Lines, report.Head, report.Repairs, report.Anchored}
		return show(cmd, out, func(w io.Writer) {
			fmt.Fprintf(w, "the chain holds: %d lines, the last is %s\n", report.Lines, report.Head.Hash)
			if report.Repairs > 0 {
				fmt.Fprintf(w, "%d chain_repaired events in it tell of damage that a start found\n", report.Repairs)
			}
			if !report.Anchored {
				fmt.Fprintf(w, "%s.head is not there: lines missing at the end would not show\n", args[0])
			}
		})
	}
	return cmd
}

func version() string {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return "unknown"
	}
	v := info.Main.Version
	if v == "" || v == "(devel)" {
		v = "devel"
		for _, s := range info.Settings {
			if s.Key == "vcs.revision" {
				v += " " + s.Value[:min(12, len(s.Value))]
			}
		}
	}
	return v
}

func versionCommand() *cobra.Command {
	cmd := &cobra.Command{Use: "version", Short: "print the version", Example: "  lanyard version", Args: exactly(0)}
	cmd.Flags().Bool("json", false, "print JSON")
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		v := version()
		return show(cmd, map[string]string{"version": v}, func(w io.Writer) { fmt.Fprintln(w, "lanyard", v) })
	}
	return cmd
}
