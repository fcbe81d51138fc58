package main

import (
	"fmt"
	"io"
	"net/url"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"github.com/lanyard-go/lanyard/api"
)

func keysCommand() *cobra.Command {
	cmd := group("keys", "the keys that sign access tokens", "  lanyard keys list")
	cmd.AddCommand(keysList(), keysRotate(), keysWithdraw(), keysExport())
	return cmd
}

func keysTable(w io.Writer, keys []api.Key) {
	t := tabwriter.NewWriter(w, 0, 4, 2, ' ', 0)
	fmt.Fprintln(t, "KID\tALGORITHM\tPHASE\tCREATED")
	for _, k := range keys {
		fmt.Fprintf(t, "%s\t%s\t%s\t%s\n", k.KID, k.Algorithm, k.Phase, k.CreatedAt.Format("2006-01-02 15:04"))
	}
	t.Flush()
}

func keysList() *cobra.Command {
	cmd := &cobra.Command{Use: "list", Short: "list signing keys and their phases", Example: "  lanyard keys list", Args: exactly(0)}
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
	cmd := &cobra.Command{Use: "withdraw KID", Short: "take a key back at once: every token under it is refused", Example: "  lanyard keys withdraw KID", Args: exactly(1)}
	adminFlags(cmd)
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		return withCaller(cmd, func(c *caller) error {
			var out api.Keys
			if err := c.call(cmd.Context(), "POST", "/v1/admin/keys/"+url.PathEscape(args[0])+"/withdraw", nil, &out); err != nil {
				return fmt.Errorf("key %s: %w", args[0], err)
			}
			return show(cmd, out.Keys, func(w io.Writer) { keysTable(w, out.Keys) })
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
