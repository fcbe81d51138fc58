package memory

import "github.com/lanyard-go/lanyard"

// queue is a binary heap with the earliest time first.
type queue[K any] []queued[K]

type queued[K any] struct {
	at  lanyard.Time
	key K
}

func (q *queue[K]) push(at lanyard.Time, key K) {
	*q = append(*q, queued[K]{at, key})
	h := *q
	for i := len(h) - 1; i > 0; {
		parent := (i - 1) / 2
		if h[parent].at <= h[i].at {
			return
		}
		h[parent], h[i] = h[i], h[parent]
		i = parent
	}
}

// due returns the first key if its time is at or before now.
func (q queue[K]) due(now lanyard.Time) (key K, ok bool) {
	if len(q) == 0 || q[0].at > now {
		return key, false
	}
	return q[0].key, true
}

// pop removes the first key.
func (q *queue[K]) pop() {
	h := *q
	last := len(h) - 1
	h[0] = h[last]
	h[last] = queued[K]{}
	h = h[:last]
	for i := 0; ; {
		child := 2*i + 1
		if child >= len(h) {
			break
		}
		if right := child + 1; right < len(h) && h[right].at < h[child].at {
			child = right
		}
		if h[i].at <= h[child].at {
			break
		}
		h[i], h[child] = h[child], h[i]
		i = child
	}
	*q = h
}
