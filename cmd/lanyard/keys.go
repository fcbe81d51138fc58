package main

import (
	"errors"
	"fmt"
	"io"
	"net/url"
	"os"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"github.com/lanyard-go/lanyard/api"
	"github.com/lanyard-go/lanyard/internal/server"
)

func keysCommand() *cobra.Command {
	cmd := group("keys", "the keys that sign access tokens", "  lanyard keys list")
	cmd.AddCommand(keysList(), keysRotate(), keysWithdraw(), keysExport(), keysForget())
	return cmd
}

func keysTable(w io.Writer, keys []api.Key) {
	t := tabwriter.NewWriter(w, 0, 4, 2, ' ', 0)
	fmt.Fprintln(t, "KID\tALGORITHM\tPHASE\tCREATED\tSIGNS FROM\tUNTIL\tPUBLISHED UNTIL\tWITHDRAWN")
	for _, k := range keys {
		fmt.Fprintf(t, "%s\t%s\t%s\t%s\t%s\t%s\t%s\t%s\n", k.KID, k.Algorithm, k.Phase, minute(&k.CreatedAt), minute(&k.SignsFrom),
			minute(k.RetiresAt), minute(k.RemovedAt), minute(k.WithdrawnAt))
	}
	t.Flush()
}

// minute shows a time, in UTC, that may not be known.
func minute(t *time.Time) string {
	if t == nil {
		return "-"
	}
	return t.UTC().Format("2006-01-02 15:04")
}

func keysList() *cobra.Command {
	cmd := &cobra.Command{Use: "list", Short: "list signing keys, their phases and the times of their lives (UTC)", Example: "  lanyard keys list", Args: exactly(0)}
	adminFlags(cmd)
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		return withCaller(cmd, func(c *caller) error {
			var out api.Keys
			if err := c.call(cmd.Context(), "GET", "/v1/admin/keys", nil, &out); err != nil {
				return err
			}
			return show(cmd, out.Keys, func(w io.Writer) { keysTable(w, out.Keys) })
		})
	}
	return cmd
}

func keysRotate() *cobra.Command {
	cmd := &cobra.Command{Use: "rotate", Short: "announce a new key, which signs ten minutes later", Example: "  lanyard keys rotate", Args: exactly(0)}
	adminFlags(cmd)
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		return withCaller(cmd, func(c *caller) error {
			var out api.Key
			if err := c.call(cmd.Context(), "POST", "/v1/admin/keys/rotate", nil, &out); err != nil {
				return err
			}
			return show(cmd, out, func(w io.Writer) { keysTable(w, []api.Key{out}) })
		})
	}
	return cmd
}

func keysWithdraw() *cobra.Command {
	cmd := &cobra.Command{Use: "withdraw KID", Short: "take a key back at once: every token under it is refused",
		Long:    "Takes a key back that may be in wrong hands. This server refuses every token under it from now on, nodes and verifiers that follow the feed as soon as they hear of it; --strict waits for them. If it was the key that signs, its replacement signs at once. Sessions live on: clients come back with their refresh token or cookie.",
		Example: "  lanyard keys withdraw KID", Args: exactly(1)}
	adminFlags(cmd)
	strict := cmd.Flags().Bool("strict", false, "wait until no verifier accepts its tokens any more, at most the revocation bound")
	cmd.SetFlagErrorFunc(func(cmd *cobra.Command, err error) error {
		return usage("%v; a key id that starts with a dash goes behind two: %s -- KID", err, cmd.CommandPath())
	})
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		return withCaller(cmd, func(c *caller) error {
			var out api.Keys
			mode := "fast"
			if *strict {
				mode = "strict"
			}
			if err := c.call(cmd.Context(), "POST", "/v1/admin/keys/"+url.PathEscape(args[0])+"/withdraw?mode="+mode, nil, &out); err != nil {
				return fmt.Errorf("key %s: %w", args[0], err)
			}
			return show(cmd, out.Keys, func(w io.Writer) { keysTable(w, out.Keys) })
		})
	}
	return cmd
}

func keysForget() *cobra.Command {
	cmd := &cobra.Command{
		Use: "forget-secret", Short: "go on without a server secret that is lost: everybody is signed out", Args: exactly(0),
		Long:    "Makes a data directory usable with the secret that is in its server.secret now, or with a new one if the file is gone. To rotate the secret instead, put a new line in front of the old one: both work, and nobody is signed out.",
		Example: "  lanyard keys forget-secret",
	}
	addFlags(cmd, "data", "store", "directory")
	cmd.Flags().Bool("json", false, "print JSON")
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		cfg, _, err := load(cmd)
		if err != nil {
			return err
		}
		if _, err := os.Stat(cfg.Data); errors.Is(err, os.ErrNotExist) {
			return server.NoData(cfg.Data)
		}
		if err := server.ForgetSecret(cmd.Context(), drivers, cfg); err != nil {
			return err
		}
		return show(cmd, map[string]bool{"forgotten": true}, func(w io.Writer) {
			fmt.Fprintln(w, "the next start uses the secret that is there; everybody signs in again")
		})
	}
	return cmd
}

func keysExport() *cobra.Command {
	cmd := &cobra.Command{Use: "export-jwks", Short: "print the public keys as a JWK set", Example: "  lanyard keys export-jwks > jwks.json", Args: exactly(0)}
	adminFlags(cmd)
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		return withCaller(cmd, func(c *caller) error {
			var out map[string]any
			if err := c.call(cmd.Context(), "GET", "/.well-known/jwks.json", nil, &out); err != nil {
				return err
			}
			cmd.Flags().Set("json", "true") // a JWK set has no other form
			return show(cmd, out, nil)
		})
	}
	return cmd
}
