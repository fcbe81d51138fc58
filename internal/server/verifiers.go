package server

import (
	"net/http"

	"github.com/lanyard-go/lanyard"
	"github.com/lanyard-go/lanyard/api"
	"github.com/lanyard-go/lanyard/revocation"
)

// adminVerifiers serves GET /v1/admin/verifiers.
func (s *Server) adminVerifiers(w http.ResponseWriter, r *http.Request) {
	writeJSON(w, http.StatusOK, s.verifiers(r.URL.Query().Get("canary") == "1"))
}

// verifiers is what this node knows of everybody who hears of revocations.
func (s *Server) verifiers(canary bool) api.Verifiers {
	state, _ := s.m.Node()
	out := api.Verifiers{
		BoundMS: s.cfg.RevocationBound.Milliseconds(), Node: apiNode(state.Current), Nodes: []api.Node{}, Verifiers: []api.Verifier{},
	}
	out.Node.AgeMS = state.Age.Milliseconds()
	for _, p := range state.Peers {
		one := apiNode(p)
		one.AgeMS = s.now().Sub(p.Met).Milliseconds()
		out.Nodes = append(out.Nodes, one)
	}
	for _, f := range s.feed.Hub().Followers() {
		one := api.Verifier{
			Name: f.Name, Client: f.Owner, ID: f.ID, Local: f.Local, Since: f.Since.UTC(), LastAck: f.Seen.UTC(),
			AgeMS: f.Age.Milliseconds(), LeaseMS: f.Lease.Milliseconds(), Behind: f.Behind, Lag: apiLag(&f.Lags), Canaries: f.Canaries,
		}
		if canary {
			one.CanaryMS = f.Canary
		}
		out.Verifiers = append(out.Verifiers, one)
	}
	return out
}

func apiNode(p lanyard.PeerState) api.Node {
	return api.Node{
		Name: p.Name, Near: p.Near, LeaseMS: p.Left.Milliseconds(), InStep: p.Applied,
		Followers: p.Followers, Behind: union(nil, p.Behind), Local: union(nil, p.Local),
	}
}

func apiLag(l *revocation.Lags) api.Lag {
	return api.Lag{
		Count: l.Count(), P50MS: l.Quantile(.5).Milliseconds(), P99MS: l.Quantile(.99).Milliseconds(), MaxMS: l.Quantile(1).Milliseconds(),
	}
}
