package linear

import (
	"testing"

	"github.com/lanyard-go/lanyard/store/storetest"
)

// call, and the asks and answers below, keep the histories readable.
type call = storetest.Call

// at puts the calls one after another.
func at(calls ...call) []call {
	for i := range calls {
		calls[i].Object = "s"
		calls[i].Start, calls[i].Return = int64(10*i), int64(10*i+9)
	}
	return calls
}

// atOnce makes the calls from the given index on overlap each other.
func atOnce(from int, calls []call) []call {
	for i := from; i < len(calls); i++ {
		calls[i].Start, calls[i].Return = int64(10*from), int64(10*len(calls))
	}
	return calls
}

var (
	created = call{Ask: storetest.AskCreate, Answer: storetest.Done, Data: 1}
	ending  = call{Ask: storetest.AskEnd, Answer: storetest.Done}
	fence   = call{Ask: storetest.AskFence, Answer: storetest.Done}
)

func saw(version, data uint64) call {
	return call{Ask: storetest.AskGet, Answer: storetest.Done, Version: version, Data: data}
}

func over(data uint64) call { return call{Ask: storetest.AskGet, Answer: storetest.Over, Data: data} }

func wrote(version, data uint64) call {
	return call{Ask: storetest.AskUpdate, Answer: storetest.Done, Version: version, Raised: version + 1, Data: data}
}

func refused(version uint64, answer storetest.Answer) call {
	return call{Ask: storetest.AskUpdate, Answer: answer, Version: version}
}

func first(answer storetest.Answer) call { return call{Ask: storetest.AskOnce, Answer: answer} }

// The checker itself is checked: what it says of histories whose verdict is
// known.
//
// req: STORE-3
func TestCheckKnowsGoodHistoriesFromBadOnes(t *testing.T) {
	for _, c := range []struct {
		name  string
		fits  bool
		calls []call
	}{
		{"a life", true, at(call{Ask: storetest.AskGet, Answer: storetest.Absent}, created, saw(1, 1), wrote(1, 2), refused(1, storetest.Conflict),
			saw(2, 2), ending, call{Ask: storetest.AskEnd, Answer: storetest.Not}, refused(2, storetest.Over), over(2), call{Ask: storetest.AskCreate, Answer: storetest.Taken})},
		{"a fenced life", true, at(created, fence, over(1), refused(1, storetest.Over), ending, over(1))},
		{"a record made after everything ended", true, at(fence, created, saw(1, 1), wrote(1, 2))},
		{"calls at once, answered in any order", true, atOnce(1, at(created, saw(2, 2), over(2), wrote(1, 2), ending, refused(1, storetest.Conflict)))},
		{"a read at once with a write that sees the older record", true, atOnce(1, at(created, wrote(1, 2), saw(1, 1)))},
		{"a prune of what was due", true, at(call{Ask: storetest.AskCreate, Answer: storetest.Done, Due: true}, call{Ask: storetest.AskPrune, Answer: storetest.Done}, over(0))},
		{"a key used once", true, atOnce(0, at(first(storetest.Not), first(storetest.Done), first(storetest.Not)))},

		{"a resurrection by a write", false, at(created, ending, wrote(1, 2))},
		{"a resurrection that a read sees", false, at(created, ending, saw(1, 1))},
		{"a resurrection by a write at once with the end", false,
			append(atOnce(1, at(created, wrote(1, 2), ending)), call{Object: "s", Ask: storetest.AskGet, Answer: storetest.Done, Version: 2, Data: 2, Start: 100, Return: 101})},
		{"a resurrection after everything ended", false, at(created, fence, saw(1, 1))},
		{"a resurrection by another creation", false, at(created, ending, created)},
		{"a token spent twice", false, atOnce(1, at(created, wrote(1, 2), wrote(1, 3)))},
		{"a key used twice", false, atOnce(0, at(first(storetest.Done), first(storetest.Done)))},
		{"a key used by nobody", false, atOnce(0, at(first(storetest.Not), first(storetest.Not)))},
		{"a lost update", false, at(created, wrote(1, 2), saw(1, 1))},
		{"a lost update under a raised version", false, at(created, wrote(1, 2), saw(2, 1))},
		{"a write of nothing", false, at(wrote(1, 2))},
		{"a write refused without a reason", false, at(created, refused(1, storetest.Conflict))},
		{"two who ended one record", false, atOnce(1, at(created, ending, ending))},
		{"a read that goes back in time", false, at(created, wrote(1, 2), saw(2, 2), saw(1, 1))},
		{"two who created one record", false, atOnce(0, at(created, created))},
		{"a prune of what was not due", false, at(created, call{Ask: storetest.AskPrune, Answer: storetest.Done})},
		{"a limit that ended what had ended", false, at(created, ending, call{Ask: storetest.AskLimit, Answer: storetest.Done})},
		{"a record forgotten", false, at(created, call{Ask: storetest.AskGet, Answer: storetest.Absent})},
	} {
		t.Run(c.name, func(t *testing.T) {
			err := Check(c.calls)
			if (err == nil) != c.fits {
				t.Errorf("fits: %v, want %v\n%v", err == nil, c.fits, err)
			}
		})
	}
}
