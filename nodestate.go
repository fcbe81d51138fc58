package lanyard

import (
	"slices"
	"strings"
	"time"
)

// NodeState is this process among those that share its store, see [Manager.Node].
type NodeState struct {
	Name    string        // drawn anew at each start; empty before [Manager.Run]
	Bound   time.Duration // [Config.RevocationBound]
	Near    bool          // sessions are kept near it
	Lease   time.Duration // for how long from now its news of revocations count; zero: it asks the store each time
	Age     time.Duration // of its news, counted from before the lease was written; meaningful while Lease is not zero
	Current PeerState     // its own lease, as the others read it
	Peers   []PeerState   // the others, by name
}

// PeerState is a node as its lease in the store says.
type PeerState struct {
	Name      string
	Near      bool          // it answers from a cache
	Met       time.Time     // when this lease was first met here
	Left      time.Duration // how long it still runs at most, by this node's clock; zero: it is over
	Applied   bool          // the node goes by everything that this one does
	Followers int           // of its feed
	Behind    []string      // followers that are waited for, some of them
	Local     []string      // followers that have routes without a bound, some of them
}

// Node returns what this process knows of itself and of the nodes beside it, as
// of the last time it read their leases: a quarter of the bound ago, while it
// runs. It asks nobody. False: the store cannot keep leases.
func (m *Manager) Node() (s NodeState, ok bool) {
	if m.node == nil {
		return s, false
	}
	n := m.node
	now := n.now()
	s = NodeState{Bound: n.bound, Near: n.near != nil, Lease: n.left()}
	if since := n.since.Load(); since != nil {
		s.Age = elapsed(*since, now)
	}
	n.mu.Lock()
	s.Name = n.name
	peers := make(map[string]peer, len(n.peers))
	for name, p := range n.peers {
		peers[name] = p
	}
	n.mu.Unlock()

	s.Current = PeerState{Name: s.Name, Near: s.Near, Met: now, Left: s.Lease, Applied: true}
	if n.feed != nil {
		state := n.feed.Covered()
		s.Current.Followers, s.Current.Behind, s.Current.Local = state.Followers, state.Behind, state.Local
	}
	goal := n.cursor()
	for name, p := range peers {
		l := n.parseLease(p.value)
		there, err := n.order.Covers(l.Applied, goal)
		s.Peers = append(s.Peers, PeerState{
			Name: name, Near: l.Near, Met: p.since, Left: max(l.length()-elapsed(p.since, now), 0), Applied: err == nil && there,
			Followers: l.Followers, Behind: l.Behind, Local: l.Local,
		})
	}
	slices.SortFunc(s.Peers, func(a, b PeerState) int { return strings.Compare(a.Name, b.Name) })
	return s, true
}
