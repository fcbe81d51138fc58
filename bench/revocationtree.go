package main

import (
	"context"
	"flag"
	"fmt"
	"io"
	"strings"
	"time"
)

// relaysCommand is the argument by which this program works out what many
// verifiers behind relays cost, and prints the tables of docs/scale.md.
const relaysCommand = "relays"

func relays(ctx context.Context, args []string, out io.Writer) error {
	flags := flag.NewFlagSet("bench "+relaysCommand, flag.ContinueOnError)
	t := tree{bound: feedBound}
	flags.IntVar(&t.verifiers, "verifiers", 100_000, "how many verifiers")
	flags.IntVar(&t.nodes, "nodes", 3, "how many nodes")
	flags.DurationVar(&t.send, "send", 16*time.Microsecond, "processor time to send an event to one follower")
	flags.DurationVar(&t.ack, "ack", 60*time.Microsecond, "processor time to answer an acknowledgement")
	flags.DurationVar(&t.connect, "connect", time.Millisecond, "processor time to accept a connection with TLS")
	flags.DurationVar(&t.hop, "hop", 500*time.Microsecond, "least time of a message on the network")
	seed := flags.Uint64("seed", 1, "of the random draws")
	rounds := flags.Int("rounds", 100, "revocations that are simulated")
	length := flags.Duration("measure", 10*time.Second, "time to measure the traffic of a real follower, twice")
	if err := flags.Parse(args); err != nil {
		return err
	}
	w, err := weighLine(ctx, *length)
	if err != nil {
		return fmt.Errorf("measuring the traffic of a follower: %w", err)
	}
	fans := []int{500, 1000, 2000}
	fmt.Fprintf(out, "One follower, measured in plain HTTP/1.1, bytes a second:\n\n| | from the node | to the node |\n| --- | ---: | ---: |\n")
	fmt.Fprintf(out, "| nothing revoked | %.0f | %.0f |\n| 5 revocations a second | %.0f | %.0f |\n\n", w.quiet, w.asked, w.busy, w.asking)
	fmt.Fprintf(out, "An event with the end of one session has %.0f bytes, %d of them the cursor. Acknowledgements of a quiet follower: %.2f a second.\n\n", w.event, feedCursor, w.acks)

	const rate = 5
	fmt.Fprintf(out, "%d verifiers, %d nodes, %d revocations a second:\n\n", t.verifiers, t.nodes, rate)
	fmt.Fprintf(out, "| verifiers on a relay | relays | relays on a node | a relay sends, events/s | a relay sends, MB/s | a relay gets, MB/s | a relay answers, acks/s | processors of a relay | a node sends, MB/s | processors of a node |\n|%s\n", strings.Repeat(" ---: |", 10))
	for _, t.fan = range fans {
		per := func(n int) (events, sent, got, acks, cores float64) {
			f := float64(n)
			// Four heartbeats a bound; acknowledgements as often as the hub asks for.
			beats := quarters / t.bound.Seconds()
			gap := max(t.spacing(n), 1*time.Millisecond).Seconds()
			each := min(rate+quarters/t.bound.Seconds(), 1/gap)
			each = max(each, quarters/t.bound.Seconds())
			events, acks = f*(rate+beats), f*each
			return events, f * w.busy / 1e6, f * w.asking / 1e6, acks, events*t.send.Seconds() + acks*t.ack.Seconds()
		}
		events, sent, got, acks, cores := per(t.fan)
		_, nodeSent, _, _, nodeCores := per(t.perNode())
		fmt.Fprintf(out, "| %d | %d | %d | %.0f | %.1f | %.1f | %.0f | %.2f | %.3f | %.3f |\n",
			t.fan, t.relays(), t.perNode(), events, sent, got, acks, cores, nodeSent, nodeCores)
	}

	fmt.Fprintf(out, "\nLag and strict revocation, %d simulated revocations:\n\n", *rounds)
	fmt.Fprintf(out, "| verifiers on a relay | lag p50 | lag p99 | lag of the last | strict, p50 | strict, p99 |\n|%s\n", strings.Repeat(" ---: |", 6))
	for _, t.fan = range fans {
		d := &draws{*seed}
		var lags, all []float64
		for range *rounds {
			l, covered := t.strict(d)
			lags, all = append(lags, l...), append(all, covered)
		}
		fmt.Fprintf(out, "| %d | %s | %s | %s | %s | %s |\n", t.fan, duration(quantile(lags, 0.5)), duration(quantile(lags, 0.99)), duration(quantile(lags, 1)),
			duration(quantile(all, 0.5)), duration(quantile(all, 0.99)))
	}

	fmt.Fprintf(out, "\nWhat is left of a lease at the least:\n\n| steps below a node | lease |\n| ---: | ---: |\n")
	for depth := 1; depth <= 4; depth++ {
		fmt.Fprintf(out, "| %d | %v |\n", depth, t.leastLease(depth).Round(time.Millisecond))
	}

	t.fan = 1000
	fmt.Fprintf(out, "\nConnections that break at one moment, %d verifiers on a relay:\n\n", t.fan)
	fmt.Fprintf(out, "| what | come back | in step again, p50 | p99 | the last | attempts for each | most attempts in a tenth of a second that are answered |\n| --- |%s\n", strings.Repeat(" ---: |", 6))
	for _, c := range []struct {
		what              string
		gone              int
		away              time.Duration
		everybody, jitter bool
	}{
		{"one relay is gone", 1, time.Hour, false, true},
		{"half of the relays are gone", t.relays() / 2, time.Hour, false, true},
		{"all connections are cut, the relays stay", 0, 0, true, true},
		{"all relays are away for 5 s", t.relays(), 5 * time.Second, true, true},
		{"the same without jitter", t.relays(), 5 * time.Second, true, false},
	} {
		r := t.disconnect(&draws{*seed}, c.gone, c.away, c.everybody, c.jitter)
		fmt.Fprintf(out, "| %s | %d | %s | %s | %s | %.1f | %d |\n", c.what, len(r.times), duration(quantile(r.times, 0.5)), duration(quantile(r.times, 0.99)),
			duration(quantile(r.times, 1)), float64(r.attempts)/float64(len(r.times)), r.most)
	}
	return nil
}
