package lanyard_test

import (
	"cmp"
	"time"

	"github.com/lanyard-go/lanyard"
)

// held is a refresh token as its client knows it.
type held struct {
	text       string
	generation int
	counter    int
}

// family is the table of refresh rotation in its plainest form: what the server
// must know of one family, and what follows from each presentation. It shares no
// code with the manager and is told the texts of tokens instead of computing
// them.
type family struct {
	client   string // it belongs to; the built-in one if empty
	strict   bool
	disabled bool   // the application said no
	over     string // the refusal of everything, once it is over

	generation      int
	counter         int
	current, before string // texts; current is empty if nobody ever received it
	rotated         time.Time
	agent, from     string // of the caller who rotated last; from is a range
	movedTo         string // the one other range that repeated this rotation
	repeated        bool
	repeatedInARow  int
	mayBeRepeated   bool // the current token has a predecessor
}

// presented is a use of a refresh token.
type presented struct {
	held
	client    string
	unproven  bool // the client's proof of itself is wrong
	agent, ip string
	scope     string
	at        time.Time
}

// verdict is what must come of it.
type verdict struct {
	outcome string // as counted
	grants  bool
	writes  bool // through the compare-and-swap, if it grants
}

const (
	rotates     = "rotated"
	repeats     = "retried"
	movesOver   = "retried-moved"
	rollsAhead  = "rolled-forward"
	reuseRecent = "reused-recent"
	reuseStale  = "reused-stale"
	noClient    = "client-refused"
)

// judge says what must happen, and changes nothing.
func (f *family) judge(p presented) verdict {
	switch {
	case p.unproven: // whatever it presents is not even looked at
		return verdict{outcome: noClient}
	case p.text == "garbage":
		return verdict{outcome: "forged"}
	case f.over != "":
		return verdict{outcome: f.over}
	case p.generation < f.generation:
		return verdict{outcome: "refused-old_generation"}
	case p.client != cmp.Or(f.client, lanyard.BuiltinClient):
		return verdict{outcome: "refused-wrong_client"}
	}
	v := verdict{outcome: f.place(p), grants: true, writes: true}
	if v.outcome == repeats || v.outcome == movesOver {
		v.outcome, v.writes = f.repetition(p)
	}
	switch {
	case v.outcome == reuseRecent || v.outcome == reuseStale:
		return verdict{outcome: v.outcome}
	case p.scope != "":
		return verdict{outcome: "refused-scope_grown"}
	case f.disabled:
		return verdict{outcome: "refused-subject_disabled"}
	}
	return v
}

// place says where in the chain a token stands.
func (f *family) place(p presented) string {
	switch {
	case p.counter > f.counter:
		return rollsAhead
	case p.counter == f.counter && p.text == f.current:
		return rotates
	case p.counter == f.counter-1 && f.mayBeRepeated && p.text == f.before:
		return repeats
	case p.counter >= f.counter-1:
		return reuseRecent
	}
	return reuseStale
}

// repetition judges the immediate predecessor. Its second result tells whether
// something has to be noted.
func (f *family) repetition(p presented) (outcome string, notes bool) {
	age := p.at.Sub(f.rotated)
	late := age > 2*time.Second
	rangeNow := lanyard.AddressRange(p.ip)
	moved := rangeNow != f.from
	switch {
	case f.strict, age >= 30*time.Second, p.agent != f.agent:
		return reuseRecent, false
	case moved && f.movedTo != "" && f.movedTo != cmp.Or(rangeNow, "?"):
		return reuseRecent, false
	case (moved || late) && !f.repeated && f.repeatedInARow >= 8:
		return reuseRecent, false
	case moved:
		return movesOver, f.movedTo == "" || !f.repeated
	}
	return repeats, late && !f.repeated
}

// apply is what a presentation leaves behind. Got is the text of the token that
// was granted, empty if its answer was lost.
func (f *family) apply(p presented, v verdict, got string) {
	switch v.outcome {
	case reuseRecent, reuseStale, "refused-subject_disabled":
		f.over = "refused-ended"
	case rotates, rollsAhead:
		row := 0
		if f.repeated {
			row = f.repeatedInARow
		}
		*f = family{
			client: f.client, strict: f.strict, disabled: f.disabled, generation: f.generation,
			counter: p.counter + 1, current: got, before: p.text, mayBeRepeated: true,
			rotated: p.at, agent: p.agent, from: lanyard.AddressRange(p.ip), repeatedInARow: row,
		}
	case repeats, movesOver:
		if v.outcome == movesOver && f.movedTo == "" {
			f.movedTo = cmp.Or(lanyard.AddressRange(p.ip), "?")
		}
		if !f.repeated && (v.outcome == movesOver || p.at.Sub(f.rotated) > 2*time.Second) {
			f.repeated, f.repeatedInARow = true, f.repeatedInARow+1
		}
		if got != "" {
			f.current = got
		}
	}
}

// stepUp replaces the token and forgets its predecessor.
func (f *family) stepUp(got string, at time.Time) {
	*f = family{
		client: f.client, strict: f.strict, disabled: f.disabled, generation: f.generation + 1,
		counter: f.counter + 1, current: got, rotated: at, agent: phone, from: lanyard.AddressRange(homeIP),
	}
}
