package main

import (
	"cmp"
	"fmt"
	"io"
	"net/url"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"github.com/lanyard-go/lanyard"
	"github.com/lanyard-go/lanyard/api"
)

func sessionsCommand() *cobra.Command {
	cmd := group("sessions", "live sessions: list, look at, revoke", "  lanyard sessions list --subject ada")
	cmd.AddCommand(sessionsList(), sessionsShow(), sessionsRevoke())
	return cmd
}

// filters are the flags that select sessions.
type filters struct {
	subject, ip, channel, device string
	olderThan, idleFor           time.Duration
}

func filterFlags(cmd *cobra.Command) *filters {
	f := &filters{}
	cmd.Flags().StringVar(&f.subject, "subject", "", "of this user")
	cmd.Flags().StringVar(&f.ip, "ip", "", "from this address")
	cmd.Flags().StringVar(&f.channel, "channel", "", "cookie or token")
	cmd.Flags().StringVar(&f.device, "device", "", "whose label or user agent contains this")
	cmd.Flags().DurationVar(&f.olderThan, "older-than", 0, "created longer ago than this, such as 720h")
	cmd.Flags().DurationVar(&f.idleFor, "idle-for", 0, "not active for this long")
	return f
}

func (f *filters) query() url.Values {
	v := url.Values{}
	for name, text := range map[string]string{"subject": f.subject, "ip": f.ip, "channel": f.channel, "device": f.device} {
		if text != "" {
			v.Set(name, text)
		}
	}
	if f.olderThan > 0 {
		v.Set("older_than", f.olderThan.String())
	}
	if f.idleFor > 0 {
		v.Set("idle_for", f.idleFor.String())
	}
	return v
}

// each walks all pages of a list.
func (f *filters) each(cmd *cobra.Command, c *caller, do func(api.Session) error) error {
	v := f.query()
	v.Set("limit", "1000")
	for {
		var page api.Sessions
		if err := c.call(cmd.Context(), "GET", "/v1/admin/sessions?"+v.Encode(), nil, &page); err != nil {
			return err
		}
		for _, s := range page.Sessions {
			if err := do(s); err != nil {
				return err
			}
		}
		if page.Next == "" {
			return nil
		}
		v.Set("cursor", page.Next)
	}
}

func sessionsList() *cobra.Command {
	cmd := &cobra.Command{Use: "list", Short: "list live sessions, newest first", Example: "  lanyard sessions list --channel token --idle-for 24h", Args: exactly(0)}
	adminFlags(cmd)
	f := filterFlags(cmd)
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		return withCaller(cmd, func(c *caller) error {
			list := []api.Session{}
			if err := f.each(cmd, c, func(s api.Session) error { list = append(list, s); return nil }); err != nil {
				return err
			}
			return show(cmd, list, func(w io.Writer) {
				t := tabwriter.NewWriter(w, 0, 4, 2, ' ', 0)
				fmt.Fprintln(t, "SID\tSUBJECT\tBADGE\tDEVICE\tADDRESS\tLAST ACTIVE")
				for _, s := range list {
					device := s.Device
					if device == "" {
						device = s.Browser
					}
					fmt.Fprintf(t, "%s\t%s\t%s\t%s\t%s\t%s\n", s.SID, s.Subject, s.Channel, device, s.IP, s.LastActiveAt.Format("2006-01-02 15:04"))
				}
				t.Flush()
			})
		})
	}
	return cmd
}

func sessionsShow() *cobra.Command {
	cmd := &cobra.Command{Use: "show SID", Short: "one session and its history", Example: "  lanyard sessions show SID --json", Args: exactly(1)}
	adminFlags(cmd)
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		return withCaller(cmd, func(c *caller) error {
			var out struct {
				Session api.Session `json:"session"`
				Events  []api.Event `json:"events"`
			}
			if err := c.call(cmd.Context(), "GET", "/v1/admin/sessions/"+url.PathEscape(args[0]), nil, &out); err != nil {
				return fmt.Errorf("session %s: %w", args[0], err)
			}
			return show(cmd, out, func(w io.Writer) {
				s := out.Session
				t := tabwriter.NewWriter(w, 0, 4, 2, ' ', 0)
				for _, line := range [][2]string{
					{"sid", s.SID}, {"subject", s.Subject}, {"badge", s.Channel}, {"device", s.Device}, {"browser", s.Browser}, {"address", s.IP},
					{"signed in", s.AuthTime.Format(time.RFC3339) + " by " + strings.Join(s.AMR, ", ")},
					{"last active", s.LastActiveAt.Format(time.RFC3339)}, {"idle limit", s.IdleExpiresAt.Format(time.RFC3339)},
					{"absolute limit", s.ExpiresAt.Format(time.RFC3339)}, {"ended", s.EndReason},
				} {
					if line[1] != "" {
						fmt.Fprintf(t, "%s\t%s\n", line[0], line[1])
					}
				}
				for _, e := range out.Events {
					fmt.Fprintf(t, "%s\t%s %s\n", e.Time.Format(time.RFC3339), e.Event, e.Reason)
				}
				t.Flush()
			})
		})
	}
	return cmd
}

func sessionsRevoke() *cobra.Command {
	cmd := &cobra.Command{
		Use: "revoke [SID]", Short: "end one session, or all that the filters select",
		Example: "  lanyard sessions revoke --subject ada --reason 'laptop stolen'",
		Args: func(cmd *cobra.Command, args []string) error {
			if len(args) > 1 {
				return usage("revoke takes one SID, or filters; see %s --help", cmd.CommandPath())
			}
			return nil
		},
	}
	adminFlags(cmd)
	f := filterFlags(cmd)
	strict := cmd.Flags().Bool("strict", false, "wait until no verifier accepts the sessions any more, at most the revocation bound")
	all := cmd.Flags().Bool("all", false, "everybody's sessions")
	reason := cmd.Flags().String("reason", "", "why, for the audit trail")
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		mode := "fast"
		if *strict {
			mode = "strict"
		}
		chosen := f.query()
		if given := len(args) + min(1, len(chosen)); *all && given > 0 || !*all && given != 1 {
			return usage("name a SID, or filters such as --subject, or --all: one of the three")
		}
		return withCaller(cmd, func(c *caller) error {
			out, err := revoke(cmd, c, args, chosen, f, *all, mode, *reason)
			if err != nil {
				return err
			}
			return show(cmd, out, func(w io.Writer) {
				fmt.Fprintf(w, "ended %d\n", out.Ended)
				if *strict {
					waited(w, &out)
				}
			})
		})
	}
	return cmd
}

// waited tells whom a strict revocation waited for.
func waited(w io.Writer, out *api.AdminRevoked) {
	fmt.Fprintf(w, "waited %d ms", out.WaitedMS)
	if len(out.WaitedFor) > 0 {
		fmt.Fprintf(w, " for %s", strings.Join(out.WaitedFor, ", "))
	}
	fmt.Fprintln(w, "; no verifier accepts it any more")
	if len(out.NotCovered) > 0 {
		fmt.Fprintf(w, "except on routes without a bound, which may until a token expires: %s\n", strings.Join(out.NotCovered, ", "))
	}
}

func revoke(cmd *cobra.Command, c *caller, args []string, chosen url.Values, f *filters, all bool, mode, reason string) (out api.AdminRevoked, err error) {
	if len(args) == 1 {
		if _, err := lanyard.ParseSID(args[0]); err != nil {
			return out, usage("%q is not a SID; lanyard sessions list shows them", args[0])
		}
		if out, err = endSession(cmd, c, args[0], mode, reason); err != nil {
			return out, fmt.Errorf("session %s: %w", args[0], err)
		}
		return out, nil
	}
	// By subject alone, or for all, one step ends them and whatever begins
	// meanwhile; other filters end what they list.
	if all || len(chosen) == 1 && f.subject != "" {
		in := api.AdminRevokeRequest{Subject: f.subject, All: all, Mode: mode, Reason: reason}
		err := c.call(cmd.Context(), "POST", "/v1/admin/revoke", in, &out)
		return out, err
	}
	out.WaitedFor, out.NotCovered = []string{}, []string{}
	err = f.each(cmd, c, func(s api.Session) error {
		one, err := endSession(cmd, c, s.SID, mode, reason)
		out.Ended += one.Ended
		out.Cursor = cmp.Or(one.Cursor, out.Cursor)
		out.WaitedMS += one.WaitedMS
		out.WaitedFor, out.NotCovered = more(out.WaitedFor, one.WaitedFor), more(out.NotCovered, one.NotCovered)
		return err
	})
	return out, err
}

// endSession ends one session.
func endSession(cmd *cobra.Command, c *caller, sid, mode, reason string) (out api.AdminRevoked, err error) {
	err = c.call(cmd.Context(), "DELETE", "/v1/admin/sessions/"+sid+"?mode="+mode+"&reason="+url.QueryEscape(reason), nil, &out)
	return out, err
}

// more adds the names that are not there yet.
func more(names, further []string) []string {
	for _, n := range further {
		if !slices.Contains(names, n) {
			names = append(names, n)
		}
	}
	return names
}
