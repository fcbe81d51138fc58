package contender

import (
	"context"

	"github.com/lanyard-go/lanyard"
)

// Step is one thing that happens to each of some sessions.
type Step struct {
	Name string
	Run  func() error
}

// Steps returns what happens to n sessions of people who are not signed in yet,
// to be run in this order. Rotate is the one change of the record by which a
// refresh token gets its successor; refresh is all of it, with the reading.
func Steps(ctx context.Context, s *Site, n int) []Step {
	grants := make([]*lanyard.Grant, n)
	records := make([]*lanyard.Record, n)
	step := func(name string, do func(i int) error) Step {
		return Step{name, func() error {
			for i := range n {
				if err := do(i); err != nil {
					return err
				}
			}
			return nil
		}}
	}
	return []Step{
		step("create", func(i int) (err error) {
			grants[i], err = s.Manager.Start(ctx, s.people.next().login(lanyard.ChannelToken))
			return err
		}),
		step("refresh", func(i int) (err error) {
			grants[i], err = s.Manager.Renew(ctx, grants[i].Refresh.Reveal(), lanyard.Renewal{})
			return err
		}),
		step("check", func(i int) (err error) {
			records[i], err = s.store.Get(ctx, grants[i].Session.SID())
			return err
		}),
		step("rotate", func(i int) error {
			records[i].Refresh.Counter++
			return s.store.Update(ctx, records[i])
		}),
		step("end", func(i int) error {
			return s.Manager.End(ctx, grants[i].Session.SID(), lanyard.EndOptions{Reason: lanyard.ReasonLogout, By: "benchmark"})
		}),
	}
}
