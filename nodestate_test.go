package lanyard_test

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/lanyard-go/lanyard"
	"github.com/lanyard-go/lanyard/store/memory"
)

func TestANodeKnowsItselfAndThoseBesideIt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCluster(t, 3)
		state := func() lanyard.NodeState {
			t.Helper()
			s, ok := c.nodes[0].Node()
			if !ok {
				t.Fatal("the node does not know itself")
			}
			return s
		}
		s := state()
		if s.Name == "" || s.Bound != nodeBound || !s.Near || s.Lease <= 0 || s.Lease > nodeBound || s.Age != nodeBound-s.Lease {
			t.Errorf("the node is %+v", s)
		}
		if s.Current.Name != s.Name || s.Current.Left != s.Lease || !s.Current.Applied {
			t.Errorf("it calls itself %+v", s.Current)
		}
		if len(s.Peers) != 2 || s.Peers[0].Name >= s.Peers[1].Name {
			t.Fatalf("the others are %+v", s.Peers)
		}
		for _, p := range s.Peers {
			if p.Name == s.Name || !p.Near || p.Left <= 0 || p.Left > nodeBound || !p.Applied {
				t.Errorf("a node beside it is %+v", p)
			}
		}
		// One stops, and so does not hear of what ends.
		c.nodes[1].stop()
		_, sid := c.login("ada")
		if err := c.nodes[0].End(t.Context(), sid, lanyard.EndOptions{Reason: lanyard.ReasonLogout, By: "ada"}); err != nil {
			t.Fatal(err)
		}
		time.Sleep(2 * nodeBound)
		over, behind := 0, 0
		for _, p := range state().Peers {
			if p.Left == 0 {
				over++
			}
			if !p.Applied {
				behind++
			}
		}
		if over != 1 || behind != 1 {
			t.Errorf("%d leases are over, %d nodes are behind: %+v", over, behind, state().Peers)
		}
		c.nodes[0].line.cut.Store(true)
		time.Sleep(2 * nodeBound)
		if s := state(); s.Lease != 0 || s.Current.Left != 0 {
			t.Errorf("cut off it is %+v", s)
		}
	})
}

func TestAManagerThatDoesNotRunHasNoLease(t *testing.T) {
	m, err := lanyard.New(memory.New(), lanyard.Config{Issuer: site})
	if err != nil {
		t.Fatal(err)
	}
	if s, ok := m.Node(); !ok || s.Name != "" || s.Lease != 0 || len(s.Peers) != 0 {
		t.Errorf("it is %+v, %v", s, ok)
	}
}
