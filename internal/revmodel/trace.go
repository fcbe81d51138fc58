package revmodel

import (
	"fmt"
	"strings"
)

// step says what happened between two states.
type step struct{ op, a, b uint8 }

const (
	opTick uint8 = iota
	opSetClock
	opLeaseSent
	opLeaseWritten
	opLeaseLost
	opLeaseUsed
	opRead
	opCrash
	opRestart
	opAckSent
	opAnswered
	opAnswerUsed
	opEvent
	opSnapshot
	opBeatSent
	opBeatUsed
	opAppend
	opApply
	opFirstLook
	opLook
	opAgain
	opSuccess
	opElsewhere
	opFailover
)

func nodeName(n uint8) string     { return "node " + string(rune('A'+n)) }
func followerName(f uint8) string { return "follower " + string(rune('F'+f)) }

// text tells a step and what it changed, for a reader.
func (st step) text(s *state) string {
	switch a, b := st.a, st.b; st.op {
	case opTick:
		if a == 0 {
			return "a tick passes"
		}
		var slow []string
		for p := range uint8(nodes + followers) {
			switch {
			case a>>p&1 == 0:
			case p < nodes:
				slow = append(slow, nodeName(p))
			default:
				slow = append(slow, followerName(p-nodes))
			}
		}
		return "a tick passes, missed by " + strings.Join(slow, ", ")
	case opSetClock:
		if a < nodes {
			return "the wall clock of " + nodeName(a) + " is set forward"
		}
		return "the wall clock of " + followerName(a-nodes) + " is set forward"
	case opLeaseSent:
		return fmt.Sprintf("%s sends its lease, covering %s", nodeName(a), s.node[a].says)
	case opLeaseWritten:
		return fmt.Sprintf("the store has the lease of %s", nodeName(a))
	case opLeaseLost:
		return fmt.Sprintf("the lease that %s sent is lost", nodeName(a))
	case opLeaseUsed:
		return fmt.Sprintf("%s may use its lease for %d ticks, at %s", nodeName(a), s.node[a].left, s.node[a].at)
	case opRead:
		return fmt.Sprintf("%s reads the feed up to %s", nodeName(a), s.node[a].at)
	case opCrash:
		return nodeName(a) + " crashes"
	case opRestart:
		return nodeName(a) + " starts again"
	case opAckSent:
		return fmt.Sprintf("%s sends an acknowledgement of %s to %s", followerName(a), s.follow[a].at, nodeName(b))
	case opAnswered:
		if x := s.follow[a].with[b]; x.phase == answerOnWay {
			return fmt.Sprintf("%s answers %s: newest %s, %d ticks left", nodeName(b), followerName(a), x.seen, x.left)
		}
		return fmt.Sprintf("%s has the acknowledgement of %s", nodeName(b), followerName(a))
	case opAnswerUsed:
		return fmt.Sprintf("%s has the answer of %s and is fresh for %d ticks", followerName(a), nodeName(b), s.follow[a].left)
	case opEvent:
		return fmt.Sprintf("%s has an event of %s and is at %s", followerName(a), nodeName(b), s.follow[a].at)
	case opSnapshot:
		return fmt.Sprintf("%s takes a snapshot of %s and is at %s", followerName(a), nodeName(b), s.follow[a].at)
	case opBeatSent:
		return fmt.Sprintf("%s sends a heartbeat to %s", nodeName(b), followerName(a))
	case opBeatUsed:
		return fmt.Sprintf("%s reads a heartbeat and is fresh for %d ticks", followerName(a), s.follow[a].left)
	case opAppend:
		return fmt.Sprintf("the revoker appends the end, or finds it, at %s", place(s.life, s.end[s.life]))
	case opApply:
		return fmt.Sprintf("the revoker reads the feed up to %s", s.node[revoker].at)
	case opFirstLook:
		return fmt.Sprintf("the revoker reads the leases and has %d to wait for, for %d ticks", s.rev.wait&1+s.rev.wait>>1+s.rev.full, s.rev.left)
	case opLook:
		return fmt.Sprintf("the revoker reads the leases again and has %d to wait for", s.rev.wait&1+s.rev.wait>>1+s.rev.full)
	case opAgain:
		return "the revoker sees another incarnation and begins again"
	case opSuccess:
		return "the revoker reports that the session has ended"
	case opElsewhere:
		return "somebody ends the session in the ordinary way"
	case opFailover:
		leases := "keeps the leases"
		if b == 1 {
			leases = "forgets the leases"
		}
		return fmt.Sprintf("the store fails over, forgets %d entries and %s", a, leases)
	}
	return "nothing happens"
}

// String writes a cursor as incarnation.entries.
func (c cursor) String() string { return fmt.Sprintf("%d.%d", c.life(), c.entries()) }
