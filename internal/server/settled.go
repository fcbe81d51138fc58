package server

import (
	"errors"
	"net/http"
	"slices"
	"sync"
	"time"

	"github.com/lanyard-go/lanyard"
)

// canarySubject is whom lanyard canary signs in, and canaryReason why it ends
// those sessions: verifiers tell of such entries apart.
const (
	canarySubject                = "canary"
	canaryReason  lanyard.Reason = "canary"
)

// endReason is the reason of an end that an administrator or a program asks for
// in words. Only a canary's own sessions can be a canary's.
func endReason(subject, why string) lanyard.Reason {
	if subject == canarySubject && why == string(canaryReason) {
		return canaryReason
	}
	return lanyard.ReasonAdmin
}

// notRevoked words why a revocation did not go as asked. Whether something has
// ended is what the caller has to know.
func notRevoked(err error) error {
	switch {
	case errors.Is(err, lanyard.ErrNotSettled):
		return &badRequest{http.StatusServiceUnavailable, "temporarily_unavailable",
			"It has ended for good, but whether each node and verifier has noticed is not known. Ask again to wait for them.", err}
	case lanyard.CauseOf(err) == lanyard.CauseStore:
		return &badRequest{http.StatusServiceUnavailable, "temporarily_unavailable",
			"The session store could not be asked. Whether anything has ended is not known, and nothing is promised. Ask again.", err}
	}
	return err
}

// maxWaits bounds the strict revocations remembered.
const maxWaits = 10

// wait is one strict revocation that was carried out here.
type wait struct {
	at      time.Time
	what    string // for people
	took    time.Duration
	who     []string
	local   []string // may still accept on routes without a bound
	settled bool
}

// waits are the latest strict revocations.
type waits struct {
	mu   sync.Mutex
	list []wait
}

func (w *waits) add(one wait) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.list = append(w.list, one); len(w.list) > maxWaits {
		w.list = slices.Delete(w.list, 0, 1)
	}
}

// newest returns them, the last first.
func (w *waits) newest() []wait {
	w.mu.Lock()
	defer w.mu.Unlock()
	out := slices.Clone(w.list)
	slices.Reverse(out)
	return out
}

// noteWait counts how long a revocation waited, and for whom.
func (s *Server) noteWait(e lanyard.End, strict bool, done *lanyard.Revoked, err error) {
	s.metrics.waited(strict, done.Waited.For)
	if !strict {
		return
	}
	what := "everybody"
	switch {
	case e.Key != "":
		what = "key " + e.Key
	case e.Subject != "":
		what = e.Subject
	case !e.SID.IsZero():
		what = "session " + e.SID.String()
	}
	s.waits.add(wait{s.now(), what, done.Waited.For, done.Waited.Who, done.Waited.NotCovered, err == nil})
}
