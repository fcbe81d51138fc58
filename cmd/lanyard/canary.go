package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/url"
	"slices"
	"strings"
	"sync"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"github.com/lanyard-go/lanyard/api"
)

// The server tells a canary's sessions by both of these words.
const (
	canarySubject = "canary"
	canaryReason  = "canary"
)

func canaryCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use: "canary", Short: "revoke sessions of its own and print how late each verifier met that", Args: exactly(0),
		Long: `Signs in a subject called canary again and again, revokes each of these sessions, and asks the servers how late
their verifiers met the revocations. Name every node with --server, separated by commas, to see the verifiers of all
of them. It needs a program with the right to administer. It fails if a verifier met none of them, or one later than
the revocation bound.`,
		Example: "  lanyard canary --count 20 --rate 10",
	}
	adminFlags(cmd)
	rate := cmd.Flags().Float64("rate", 10, "revocations per second, at most 1000")
	count := cmd.Flags().Int("count", 100, "how many")
	limit := cmd.Flags().Duration("duration", time.Minute, "begin no more of them after this time")
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		switch {
		case !(*rate > 0 && *rate <= 1000):
			return usage("--rate %v is not between 0 and 1000", *rate)
		case *count < 1 || *count > 10_000:
			return usage("--count %d is not between 1 and 10000", *count)
		case *limit <= 0:
			return usage("--duration %v is not above zero", *limit)
		}
		callers, err := connectAll(cmd)
		if err != nil {
			return err
		}
		c := canary{nodes: callers, count: *count, every: time.Duration(float64(time.Second) / *rate), limit: *limit}
		out, err := c.run(cmd.Context())
		for _, one := range callers {
			err = errors.Join(err, one.close())
		}
		if err != nil {
			return err
		}
		if err := show(cmd, out, out.print); err != nil {
			return err
		}
		return out.verdict()
	}
	return cmd
}

// connectAll connects to each of the servers named, or to the one at hand.
func connectAll(cmd *cobra.Command) (list []*caller, err error) {
	bases := given(cmd, "server", "LANYARD_SERVER")
	if bases == "" {
		c, err := connect(cmd)
		return []*caller{c}, err
	}
	for base := range strings.SplitSeq(bases, ",") {
		c, err := connectServer(cmd, strings.TrimSpace(base))
		if err != nil {
			return nil, err
		}
		list = append(list, c)
	}
	return list, nil
}

// canary is one measurement.
type canary struct {
	nodes []*caller
	count int
	every time.Duration
	limit time.Duration
}

// percentiles are lags in milliseconds.
type percentiles struct {
	P50  int64 `json:"p50_ms"`
	P99  int64 `json:"p99_ms"`
	P999 int64 `json:"p999_ms"`
	Max  int64 `json:"max_ms"`
}

func percentilesOf(lags []int64) (p percentiles) {
	if len(lags) == 0 {
		return p
	}
	sorted := slices.Sorted(slices.Values(lags))
	// The smallest lag that the share does not exceed.
	at := func(permille int) int64 { return max(sorted[(len(sorted)*permille+999)/1000-1], 0) }
	return percentiles{at(500), at(990), at(999), at(1000)}
}

// canaryResult is what is printed.
type canaryResult struct {
	percentiles
	Sent      int           `json:"sent"`
	BoundMS   int64         `json:"bound_ms"`
	Verifiers []canarySight `json:"verifiers"`
}

// canarySight is what one verifier saw.
type canarySight struct {
	Name   string `json:"name"`
	Client string `json:"client_id"`
	ID     string `json:"id"`
	Seen   int    `json:"seen"`
	percentiles
}

// sightKey is one start of a verifier, whichever node it follows.
type sightKey struct{ client, name, id string }

// sights are what verifiers have told of, by the node that they told it.
type sights map[sightKey]map[string]api.Verifier

// look asks all nodes. Two addresses may lead to the same one.
func (c *canary) look(ctx context.Context) (told sights, bound int64, err error) {
	told = make(sights)
	for _, node := range c.nodes {
		var out api.Verifiers
		if err := node.call(ctx, "GET", "/v1/admin/verifiers?canary=1", nil, &out); err != nil {
			return nil, 0, fmt.Errorf("asking for the verifiers: %w", err)
		}
		bound = max(bound, out.BoundMS)
		for _, v := range out.Verifiers {
			key := sightKey{v.Client, v.Name, v.ID}
			if told[key] == nil {
				told[key] = make(map[string]api.Verifier)
			}
			told[key][out.Node.Name] = v
		}
	}
	return told, bound, nil
}

// news are the lags that were told of between two looks.
func news(before, after map[string]api.Verifier) (lags []int64) {
	for node, now := range after {
		had := before[node].Canaries
		if had > now.Canaries {
			had = 0 // the node has forgotten it meanwhile
		}
		fresh := min(now.Canaries-had, uint64(len(now.CanaryMS)))
		lags = append(lags, now.CanaryMS[uint64(len(now.CanaryMS))-fresh:]...)
	}
	return lags
}

func (c *canary) run(ctx context.Context) (out canaryResult, err error) {
	before, bound, err := c.look(ctx)
	if err != nil {
		return out, err
	}
	out.BoundMS = bound
	if out.Sent, err = c.send(ctx); err != nil {
		return out, err
	}
	// Whoever is cut off for longer than the bound has met nothing.
	patience := time.NewTimer(2*time.Duration(bound)*time.Millisecond + time.Second)
	defer patience.Stop()
	for {
		after, _, err := c.look(ctx)
		if err != nil {
			return out, err
		}
		if out.fill(before, after) {
			return out, nil
		}
		select {
		case <-ctx.Done():
			return out, ctx.Err()
		case <-patience.C:
			return out, nil
		case <-time.After(50 * time.Millisecond):
		}
	}
}

// fill reports whether every verifier has met everything.
func (r *canaryResult) fill(before, after sights) (whole bool) {
	r.Verifiers = []canarySight{}
	var all []int64
	whole = len(after) > 0
	for key, now := range after {
		lags := news(before[key], now)
		all = append(all, lags...)
		r.Verifiers = append(r.Verifiers, canarySight{key.name, key.client, key.id, len(lags), percentilesOf(lags)})
		whole = whole && len(lags) >= r.Sent
	}
	// Whoever could accept at the start, and is not heard of any more, counts too.
	for key, was := range before {
		held := func(v api.Verifier) bool { return v.LeaseMS > 0 }
		if after[key] == nil && slices.ContainsFunc(slices.Collect(maps.Values(was)), held) {
			r.Verifiers = append(r.Verifiers, canarySight{Name: key.name, Client: key.client, ID: key.id})
			whole = false
		}
	}
	slices.SortFunc(r.Verifiers, func(a, b canarySight) int {
		return cmp.Or(strings.Compare(a.Client, b.Client), strings.Compare(a.Name, b.Name), strings.Compare(a.ID, b.ID))
	})
	r.percentiles = percentilesOf(all)
	return whole
}

// maxCanaries is how many revocations may be under way.
const maxCanaries = 32

// send makes and revokes sessions at an even pace.
func (c *canary) send(ctx context.Context) (sent int, err error) {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	over := time.NewTimer(c.limit)
	defer over.Stop()
	tick := time.NewTicker(c.every)
	defer tick.Stop()
	room := make(chan struct{}, maxCanaries)
	var running sync.WaitGroup
	for sent < c.count {
		node := c.nodes[sent%len(c.nodes)]
		select {
		case room <- struct{}{}:
		case <-ctx.Done():
		}
		if ctx.Err() != nil {
			break
		}
		sent++
		running.Go(func() {
			defer func() { <-room }()
			if err := one(ctx, node); err != nil {
				cancel(err)
			}
		})
		if sent == c.count {
			break
		}
		select {
		case <-tick.C:
			continue
		case <-ctx.Done():
		case <-over.C:
		}
		break
	}
	running.Wait()
	return sent, context.Cause(ctx)
}

// one makes a session and revokes it.
func one(ctx context.Context, node *caller) error {
	in := api.AdminSessionRequest{Subject: canarySubject, AMR: []string{"canary"}, Channel: "token", Device: "lanyard canary"}
	var s api.AdminSession
	if err := node.call(ctx, "POST", "/v1/admin/sessions", in, &s); err != nil {
		return fmt.Errorf("making a session: %w", err)
	}
	if s.Session == nil {
		return errors.New("making a session: the answer has none")
	}
	if err := node.call(ctx, "DELETE", "/v1/admin/sessions/"+url.PathEscape(s.Session.SID)+"?reason="+canaryReason, nil, nil); err != nil {
		return fmt.Errorf("revoking a session: %w", err)
	}
	return nil
}

func (r *canaryResult) print(w io.Writer) {
	fmt.Fprintf(w, "revoked %d; the bound is %d ms\n", r.Sent, r.BoundMS)
	t := tabwriter.NewWriter(w, 0, 4, 2, ' ', 0)
	fmt.Fprintln(t, "VERIFIER\tCLIENT\tSEEN\tP50\tP99\tP99.9\tMAX")
	line := func(name, client string, seen int, p percentiles) {
		fmt.Fprintf(t, "%s\t%s\t%d\t%d ms\t%d ms\t%d ms\t%d ms\n", name, client, seen, p.P50, p.P99, p.P999, p.Max)
	}
	total := 0
	for _, v := range r.Verifiers {
		line(v.Name, v.Client, v.Seen, v.percentiles)
		total += v.Seen
	}
	line("all", "", total, r.percentiles)
	t.Flush()
}

// verdict is an error if somebody met nothing, or something too late.
func (r *canaryResult) verdict() error {
	if len(r.Verifiers) == 0 {
		return errors.New("no verifier follows this server; name the node they follow with --server, or register them with lanyard clients add --follow")
	}
	for _, v := range r.Verifiers {
		if v.Seen == 0 {
			return fmt.Errorf("verifier %s met none of %d revocations; look for it in lanyard's log and in its own", v.Name, r.Sent)
		}
		if v.Max > r.BoundMS {
			return fmt.Errorf("verifier %s met a revocation after %d ms, later than the bound of %d ms; see its clock, and lanyard_feed_age_seconds", v.Name, v.Max, r.BoundMS)
		}
	}
	return nil
}
