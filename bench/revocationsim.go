package main

import (
	"container/heap"
	"math"
	"slices"
	"time"
)

// tree is many verifiers behind relays. A node serves relays, a relay serves
// verifiers; each of them has two processors.
type tree struct {
	verifiers, nodes, fan int // fan is how many a relay serves

	// What things cost, in processor time of whoever serves, see docs/scale.md.
	send, ack, connect time.Duration
	// hop is the least time of a message on the network; as much again is added at
	// random, on average.
	hop   time.Duration
	bound time.Duration
}

const (
	serverCores   = 2
	acksPerSecond = 2000 // that a hub asks for, as package revocation has it
	quarters      = 4    // renewals in the length of a lease
)

func (t tree) relays() int { return (t.verifiers + t.fan - 1) / t.fan }

// perNode is how many relays a node serves.
func (t tree) perNode() int { return (t.relays() + t.nodes - 1) / t.nodes }

// spacing is how far apart a hub asks so many followers to put their
// acknowledgements.
func (t tree) spacing(followers int) time.Duration {
	d := time.Duration(followers) * time.Second / acksPerSecond
	if d < 5*time.Millisecond {
		return 0
	}
	return min(d, t.bound/quarters)
}

// draws is a source of random numbers that is the same for the same seed
// (splitmix64).
type draws struct{ state uint64 }

func (d *draws) next() uint64 {
	d.state += 0x9e3779b97f4a7c15
	z := d.state
	z = (z ^ z>>30) * 0xbf58476d1ce4e5b9
	z = (z ^ z>>27) * 0x94d049bb133111eb
	return z ^ z>>31
}

// unit is between 0 and 1.
func (d *draws) unit() float64 { return float64(d.next()>>11) / (1 << 53) }

// travel is the time of one message on the network.
func (t tree) travel(d *draws) float64 {
	return float64(t.hop) * (1 - math.Log(1-d.unit()))
}

// strict lets one revocation run down the tree and the acknowledgements up again.
// Nothing was revoked in the spacing before it, so nobody holds an acknowledgement
// back. It returns how late each verifier met it, and when the last of all had
// acknowledged it, in ns.
func (t tree) strict(d *draws) (lags []float64, covered float64) {
	left := t.verifiers
	for relay := range t.relays() {
		// Whoever serves sends to one after another.
		place := relay/t.nodes + 1
		met := float64(place)*float64(t.send)/serverCores + t.travel(d)
		arrivals := make([]float64, min(left, t.fan))
		left -= len(arrivals)
		for i := range arrivals {
			at := met + float64(i+1)*float64(t.send)/serverCores + t.travel(d)
			lags = append(lags, at)
			arrivals[i] = at + t.travel(d)
		}
		// The relay acknowledges when it has heard of all of its own.
		done := t.served(arrivals)
		covered = max(covered, done+t.travel(d)+float64(t.ack)/serverCores)
	}
	return lags, covered
}

// served is when a server has done with what arrives, one after another.
func (t tree) served(arrivals []float64) float64 {
	slices.Sort(arrivals)
	done := 0.0
	for _, at := range arrivals {
		done = max(done, at) + float64(t.ack)/serverCores
	}
	return done
}

// leastLease is what the lease of a follower so many steps below a node comes to
// at the least when it asks for the next one: each gives no more than it has left,
// and asks again when a quarter is over.
func (t tree) leastLease(depth int) time.Duration {
	share := 1 - 1./quarters
	return time.Duration(float64(t.bound) * math.Pow(share, float64(depth+1)))
}

// comeback is what became of a crowd whose connections broke at one moment.
type comeback struct {
	times    []float64 // ns until each was in step again
	attempts int
	most     int // attempts in the same tenth of a second at servers that are there
}

// visitor is one of them.
type visitor struct {
	at       float64 // of the next attempt
	endpoint int
	failures int
}

// queue is visitors by the time of their next attempt.
type queue []*visitor

func (q queue) Len() int           { return len(q) }
func (q queue) Less(i, j int) bool { return q[i].at < q[j].at }
func (q queue) Swap(i, j int)      { q[i], q[j] = q[j], q[i] }
func (q *queue) Push(x any)        { *q = append(*q, x.(*visitor)) }
func (q *queue) Pop() any {
	old := *q
	last := old[len(old)-1]
	*q = old[:len(old)-1]
	return last
}

// disconnect breaks all connections to relays of which the first so many stay away
// for a while. Each verifier knows three relays and tries them in turn, as a
// follower does: the first time at once, then after a random part of a time that
// doubles. Without jitter it is all of that time.
func (t tree) disconnect(d *draws, gone int, away time.Duration, everybody, jitter bool) comeback {
	const known, first, longest = 3, float64(50 * time.Millisecond), float64(5 * time.Second)
	var c comeback
	q := new(queue)
	for i := range t.verifiers {
		if home := i % t.relays(); everybody || home < gone {
			// It goes on with the next one that it knows; which, is anybody's choice.
			heap.Push(q, &visitor{at: t.travel(d), endpoint: int(d.next() % uint64(t.relays())), failures: 1})
		}
	}
	free := make([]float64, t.relays()) // when each server has done what it has
	tenths := map[int]int{}
	// A stream, an acknowledgement on a connection of its own, and its answer.
	work := float64(2*t.connect+t.ack) / serverCores
	for q.Len() > 0 {
		v := heap.Pop(q).(*visitor)
		c.attempts++
		patience := math.Min(5e9, 1e9*math.Pow(2, float64(v.failures)))
		if v.endpoint >= gone || v.at >= float64(away) {
			tenths[int(v.at/1e8)]++
			free[v.endpoint] = max(free[v.endpoint], v.at) + work
			if free[v.endpoint]-v.at <= patience {
				c.times = append(c.times, free[v.endpoint]+t.travel(d))
				continue
			}
			v.at += patience // the work was done for nobody
		}
		v.failures++
		pause := min(longest, first*math.Pow(2, float64(min(v.failures-2, 16))))
		if jitter {
			pause *= d.unit()
		}
		v.at += pause + t.travel(d)
		v.endpoint = (v.endpoint + t.relays()/known) % t.relays()
		heap.Push(q, v)
	}
	for _, n := range tenths {
		c.most = max(c.most, n)
	}
	return c
}
