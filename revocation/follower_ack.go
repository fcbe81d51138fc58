package revocation

import (
	"errors"
	"fmt"
	"time"

	"github.com/lanyard-go/lanyard/internal/jose"
)

// canaryReason is the reason of entries that were made only to measure.
const canaryReason = "canary"

// maxCanaries is how many lags of canaries one acknowledgement tells.
const maxCanaries = 64

// followerAck is an acknowledgement as it is sent.
type followerAck struct {
	Follower string `json:"follower"`
	ID       string `json:"id"` // random: two that share a name are still two
	Cursor   string `json:"cursor"`
	// Held says that the cursor is only where the sender stands: nothing of it
	// counts as acknowledged, because those behind the sender may not have it.
	Held     bool   `json:"held,omitempty"`
	Instance string `json:"instance"`
	Local    bool   `json:"local,omitempty"`
	// Lags are pairs of a bucket (see Lags) and how many entries fell into it
	// since the last acknowledgement that was answered, canaries left out.
	Lags [][2]uint64 `json:"lags,omitempty"`
	// CanaryMS are the lags of canaries since then, in milliseconds.
	CanaryMS []int64 `json:"canary_ms,omitempty"`
}

// ackAnswer is what a node answers to one.
type ackAnswer struct {
	newest   string        // the node's newest cursor
	lease    time.Duration // what is left of the node's own lease
	pause    time.Duration // the least time between two acknowledgements of something new
	now      int64         // Unix ms by the issuer
	instance string
}

var ackLimits = jose.Limits{Bytes: maxAckAnswer, Depth: 4, Members: 64}

// maxAckAnswer is the longest answer to an acknowledgement that is read.
const maxAckAnswer = 64 << 10

// parseAckAnswer reads an answer. Members it does not know are skipped; those it
// knows have to be there and of the right type.
func parseAckAnswer(text string) (ackAnswer, error) {
	members, err := jose.ParseObject(nil, text, ackLimits)
	if err != nil {
		return ackAnswer{}, err
	}
	var a ackAnswer
	var seen int
	for _, m := range members {
		var ok bool
		switch m.Name {
		case "newest":
			a.newest, ok = m.Value.Str()
			ok = ok && a.newest != "" && checkCursor(a.newest) == nil
		case "instance":
			a.instance, ok = m.Value.Str()
			ok = ok && a.instance != ""
		case "lease_ms":
			a.lease, ok = milliseconds(m.Value)
		case "ack_ms":
			a.pause, ok = milliseconds(m.Value)
		case "now":
			var n uint64
			n, ok = m.Value.Uint(63)
			a.now = int64(n)
		default:
			continue
		}
		if !ok {
			return ackAnswer{}, fmt.Errorf("the answer's %s is wrong", m.Name)
		}
		seen++
	}
	if seen != 5 {
		return ackAnswer{}, errors.New("the answer lacks one of newest, lease_ms, ack_ms, now and instance")
	}
	return a, nil
}

// lagBook holds the lags that no node has been told of yet.
type lagBook struct {
	all      Lags // of the whole life
	untold   Lags
	canaries []int64
}

// note counts entries that were met at nowMS.
func (b *lagBook) note(e *Entry, nowMS int64) {
	ms := nowMS - e.At
	b.all.Add(ms)
	if e.Reason != canaryReason {
		b.untold.Add(ms)
	} else if len(b.canaries) < maxCanaries {
		b.canaries = append(b.canaries, ms)
	}
}

// take moves what is untold into an acknowledgement.
func (b *lagBook) take(r *followerAck) {
	for bucket, n := range b.untold {
		if n > 0 {
			r.Lags = append(r.Lags, [2]uint64{uint64(bucket), n})
		}
	}
	r.CanaryMS = b.canaries
	b.untold, b.canaries = Lags{}, nil
}

// putBack undoes take, for an acknowledgement that nobody answered.
func (b *lagBook) putBack(r *followerAck) {
	for _, l := range r.Lags {
		b.untold[l[0]] += l[1]
	}
	b.canaries = append(r.CanaryMS, b.canaries...)
	b.canaries = b.canaries[:min(len(b.canaries), maxCanaries)]
}
