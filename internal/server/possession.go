package server

import (
	"net/http"

	"github.com/lanyard-go/lanyard/dpop"
)

// prove judges the proof of possession that came with a request for tokens, if
// there is one, and sees to it that its sender has a nonce for the next.
func (s *Server) prove(w http.ResponseWriter, r *http.Request) (*dpop.Proof, error) {
	p, err := s.m.Prove(r)
	if err == nil {
		s.m.FreshNonce(w.Header(), p)
	}
	return p, err
}
