package verifier

import (
	"crypto/sha256"
	"errors"
	"sync"
	"time"
)

// maxAnswers is how many answers a generation holds. Two generations are kept,
// so memory is bounded whatever comes, without ever going through them all.
const maxAnswers = 4096

// answers remembers for a short time what the issuer said about tokens.
type answers struct {
	keep time.Duration // negative: not at all

	mu         sync.Mutex
	young, old map[tokenDigest]*verdict
}

// tokenDigest names a token without keeping it.
type tokenDigest = [sha256.Size]byte

// verdict is an answer; err must not be read before done is closed.
type verdict struct {
	done  chan struct{}
	asked time.Time // before the question: the answer is at least as new
	err   error
}

func newAnswers(keep time.Duration) *answers {
	return &answers{keep: keep, young: make(map[tokenDigest]*verdict)}
}

// find returns the verdict about a token. Mine means that it is new, and that
// whoever got it has to ask and settle it.
func (a *answers) find(d tokenDigest, now time.Time) (v *verdict, mine bool) {
	a.mu.Lock()
	defer a.mu.Unlock()
	v = a.young[d]
	if v == nil {
		v = a.old[d]
	}
	if v != nil && v.usable(now, a.keep) {
		return v, false
	}
	if len(a.young) >= maxAnswers {
		a.young, a.old = make(map[tokenDigest]*verdict), a.young
	}
	v = &verdict{done: make(chan struct{}), asked: now}
	a.young[d] = v
	return v, true
}

// usable reports whether a verdict answers a question asked at now. One without
// an answer from the issuer is shared by those who wait for it, and then gone.
func (v *verdict) usable(now time.Time, keep time.Duration) bool {
	select {
	case <-v.done:
		if v.err != nil && !errors.Is(v.err, ErrRevoked) {
			return false
		}
		return elapsed(v.asked, now) < keep
	default:
		// A question that is under way was asked before now. Whoever wants no
		// old answer asks again.
		return elapsed(v.asked, now) < keep
	}
}

func (v *verdict) settle(err error) {
	v.err = err
	close(v.done)
}
