package revmodel

// A cursor is a place in the feed of one incarnation: incarnation*4 + entries seen.
type cursor uint8

func place(life, entries uint8) cursor { return cursor(life<<2 | entries) }

func (c cursor) life() uint8    { return uint8(c >> 2) }
func (c cursor) entries() uint8 { return uint8(c & 3) }

const (
	nodes     = 2
	followers = 2
	revoker   = 0 // the node that is asked to end the session
)

// state is everything that makes a difference to what can happen next. The
// entry that ends the session is called the end.
type state struct {
	life   uint8    // incarnation of the store
	head   uint8    // entries in its feed
	end    [2]uint8 // place of the end in the feed of each incarnation, or 0
	skip   uint8    // ticks to go until one that may be missed
	lease  [nodes]lease
	ghost  lease // of the node that crashed and came back under another name
	node   [nodes]node
	follow [followers]follower
	rev    revoke
}

type lease struct {
	there  uint8
	covers cursor
}

const (
	up uint8 = iota
	down
	again // up for the second time
)

const (
	idle    uint8 = iota
	sent          // the lease is on its way to the store
	written       // the store has it; the feed has yet to be read
	fed           // the feed has been read; only without LeaseFromSending
)

type node struct {
	status  uint8
	at      cursor // applied
	knows   uint8  // has the end
	left    uint8  // of the lease it may use
	cycle   uint8
	pending uint8            // what will be left of the lease that is being written
	says    cursor           // covered, in the lease that is being written
	block   [followers]uint8 // how long grants still run that were given before the end was known here
	acked   [followers]uint8 // has acknowledged the end here
}

const (
	ackOnWay uint8 = iota + 1
	answerOnWay
)

// An exchange is an acknowledgement and its answer.
type exchange struct {
	phase uint8
	seen  cursor // the follower's, then the newest of the node
	left  uint8  // of the bound since the sending, then of the grant
}

type follower struct {
	at    cursor
	knows uint8 // has the end
	left  uint8 // of the grants it may use
	with  [nodes]exchange
	beat  uint8 // a heartbeat is in its buffer
}

const (
	unasked    uint8 = iota
	leasesRead       // only without AppendFirst
	appended
	applied
	waiting
	done
)

// revoke is the strict end that the first node carries out, and how new the
// incarnation is to it.
type revoke struct {
	phase  uint8
	ended  cursor // behind the end, as the append told it
	wait   uint8  // 1: for the other node, 2: for the one of the ghost lease
	full   uint8
	left   uint8 // to wait
	newFor uint8 // how long it still counts as new
}

// key is a state in few bits.
type key [3]uint64

type packer struct {
	word uint64
	at   uint
}

func (p *packer) put(v uint8, bits uint) {
	p.word |= uint64(v) << p.at
	p.at += bits
}

func (p *packer) get(bits uint) uint8 {
	v := uint8(p.word>>p.at) & (1<<bits - 1)
	p.at += bits
	return v
}

func (s *state) pack() key {
	var a, b, c packer
	for i := range s.node {
		n, l := &s.node[i], &s.lease[i]
		a.put(n.status, 2)
		a.put(uint8(n.at), 3)
		a.put(n.knows, 1)
		a.put(n.left, 3)
		a.put(n.cycle, 2)
		a.put(n.pending, 3)
		a.put(uint8(n.says), 3)
		for f := range followers {
			a.put(n.block[f], 3)
			a.put(n.acked[f], 1)
		}
		a.put(l.there, 1)
		a.put(uint8(l.covers), 3)
	}
	for i := range s.follow {
		f := &s.follow[i]
		b.put(uint8(f.at), 3)
		b.put(f.knows, 1)
		b.put(f.left, 3)
		b.put(f.beat, 1)
		for j := range f.with {
			x := &f.with[j]
			b.put(x.phase, 2)
			b.put(uint8(x.seen), 3)
			b.put(x.left, 3)
		}
	}
	c.put(s.life, 1)
	c.put(s.head, 2)
	c.put(s.end[0], 2)
	c.put(s.end[1], 2)
	c.put(s.skip, 3)
	c.put(s.ghost.there, 1)
	c.put(uint8(s.ghost.covers), 3)
	r := &s.rev
	c.put(r.phase, 3)
	c.put(uint8(r.ended), 3)
	c.put(r.wait, 2)
	c.put(r.full, 1)
	c.put(r.left, 3)
	c.put(r.newFor, 3)
	return key{a.word, b.word, c.word}
}

func (k key) unpack() (s state) {
	a, b, c := packer{word: k[0]}, packer{word: k[1]}, packer{word: k[2]}
	for i := range s.node {
		n, l := &s.node[i], &s.lease[i]
		n.status = a.get(2)
		n.at = cursor(a.get(3))
		n.knows = a.get(1)
		n.left = a.get(3)
		n.cycle = a.get(2)
		n.pending = a.get(3)
		n.says = cursor(a.get(3))
		for f := range followers {
			n.block[f] = a.get(3)
			n.acked[f] = a.get(1)
		}
		l.there = a.get(1)
		l.covers = cursor(a.get(3))
	}
	for i := range s.follow {
		f := &s.follow[i]
		f.at = cursor(b.get(3))
		f.knows = b.get(1)
		f.left = b.get(3)
		f.beat = b.get(1)
		for j := range f.with {
			x := &f.with[j]
			x.phase = b.get(2)
			x.seen = cursor(b.get(3))
			x.left = b.get(3)
		}
	}
	s.life = c.get(1)
	s.head = c.get(2)
	s.end[0] = c.get(2)
	s.end[1] = c.get(2)
	s.skip = c.get(3)
	s.ghost.there = c.get(1)
	s.ghost.covers = cursor(c.get(3))
	r := &s.rev
	r.phase = c.get(3)
	r.ended = cursor(c.get(3))
	r.wait = c.get(2)
	r.full = c.get(1)
	r.left = c.get(3)
	r.newFor = c.get(3)
	return s
}
