package main

import (
	"encoding/json"
	"fmt"
	"io"
	"net/url"
	"os"
	"strings"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"github.com/lanyard-go/lanyard/api"
)

func clientsCommand() *cobra.Command {
	cmd := group("clients", "programs that may introspect, create sessions or administer", "  lanyard clients list")
	cmd.AddCommand(clientsAdd(), clientsList(), clientsRemove())
	return cmd
}

func clientsAdd() *cobra.Command {
	var in api.OAuthClient
	cmd := &cobra.Command{
		Use: "add ID", Short: "add a program; its secret is printed once", Args: exactly(1),
		Example: "  lanyard clients add orders --introspect --audience https://orders.example --grant client_credentials",
	}
	adminFlags(cmd)
	cmd.Flags().StringVar(&in.Name, "name", "", "name for people")
	cmd.Flags().BoolVar(&in.Public, "public", false, "it cannot keep a secret, so it gets none and no rights of its own")
	cmd.Flags().StringSliceVar(&in.Audiences, "audience", nil, "audience it may ask for, and about (repeatable)")
	cmd.Flags().StringSliceVar(&in.Scopes, "scope", nil, "scope it may ask for (repeatable)")
	cmd.Flags().StringSliceVar(&in.Grants, "grant", nil, "client_credentials, refresh_token (repeatable)")
	jwks := cmd.Flags().String("jwks", "", "file with its public keys (JWK set): it signs assertions (private_key_jwt) and gets no secret")
	cmd.Flags().BoolVar(&in.AllowRS256, "allow-rs256", false, "it may sign its assertions with RS256 too")
	ttl := cmd.Flags().Duration("access-token-ttl", 0, "longest life of its access tokens (default the server's)")
	idle := cmd.Flags().Duration("refresh-idle", 0, "an unused refresh token ends its session after this long (default the server's limits)")
	cmd.Flags().BoolVar(&in.DPoPBound, "dpop", false, "it gets tokens only with proof of possession of a key (DPoP)")
	cmd.Flags().BoolVar(&in.MayIntrospect, "introspect", false, "may ask about tokens")
	cmd.Flags().BoolVar(&in.MayFollow, "follow", false, "may follow the revocation feed")
	cmd.Flags().BoolVar(&in.MayCreateSessions, "create-sessions", false, "may create sessions for users it has authenticated")
	cmd.Flags().BoolVar(&in.MayAdminister, "administer", false, "may do everything an administrator may")
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		in.ID = args[0]
		in.AccessTokenTTL, in.RefreshIdle = int(ttl.Seconds()), int(idle.Seconds())
		if *jwks != "" {
			set, err := os.ReadFile(*jwks)
			if err != nil {
				return usage("setting jwks: %v", err)
			}
			if !json.Valid(set) {
				return usage("setting jwks: %s is not JSON; want a JWK set such as {\"keys\":[...]}", *jwks)
			}
			in.JWKS = set
		}
		return withCaller(cmd, func(c *caller) error {
			var out api.ClientAdded
			if err := c.call(cmd.Context(), "POST", "/v1/admin/clients", in, &out); err != nil {
				return fmt.Errorf("adding client %s: %w", in.ID, err)
			}
			return show(cmd, out, func(w io.Writer) {
				fmt.Fprintf(w, "added %s\n", in.ID)
				if out.Secret != "" {
					fmt.Fprintf(w, "secret, shown this once: %s\n", out.Secret)
				}
			})
		})
	}
	return cmd
}

func clientsList() *cobra.Command {
	cmd := &cobra.Command{Use: "list", Short: "list programs and their rights", Example: "  lanyard clients list --json", Args: exactly(0)}
	adminFlags(cmd)
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		return withCaller(cmd, func(c *caller) error {
			var out api.OAuthClients
			if err := c.call(cmd.Context(), "GET", "/v1/admin/clients", nil, &out); err != nil {
				return err
			}
			return show(cmd, out.Clients, func(w io.Writer) {
				t := tabwriter.NewWriter(w, 0, 4, 2, ' ', 0)
				fmt.Fprintln(t, "ID\tPROOF\tRIGHTS\tGRANTS\tAUDIENCES")
				for _, cl := range out.Clients {
					fmt.Fprintf(t, "%s\t%s\t%s\t%s\t%s\n", cl.ID, proofOf(cl), rights(cl), strings.Join(cl.Grants, " "), strings.Join(cl.Audiences, " "))
				}
				t.Flush()
			})
		})
	}
	return cmd
}

// proofOf says how a program authenticates.
func proofOf(c api.OAuthClient) string {
	switch {
	case c.Public:
		return "public"
	case len(c.JWKS) > 0:
		return "keys"
	}
	return "secret"
}

func rights(c api.OAuthClient) string {
	var out []string
	for _, r := range []struct {
		has  bool
		word string
	}{{c.MayIntrospect, "introspect"}, {c.MayFollow, "follow"}, {c.MayCreateSessions, "create-sessions"}, {c.MayAdminister, "administer"}} {
		if r.has {
			out = append(out, r.word)
		}
	}
	return strings.Join(out, " ")
}

func clientsRemove() *cobra.Command {
	cmd := &cobra.Command{Use: "remove ID", Short: "remove a program: its secret and tokens are refused", Example: "  lanyard clients remove orders", Args: exactly(1)}
	adminFlags(cmd)
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		return withCaller(cmd, func(c *caller) error {
			if err := c.call(cmd.Context(), "DELETE", "/v1/admin/clients/"+url.PathEscape(args[0]), nil, nil); err != nil {
				return fmt.Errorf("client %s: %w", args[0], err)
			}
			return show(cmd, map[string]string{"removed": args[0]}, func(w io.Writer) { fmt.Fprintf(w, "removed %s\n", args[0]) })
		})
	}
	return cmd
}
