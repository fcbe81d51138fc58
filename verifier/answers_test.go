package verifier

import (
	"encoding/binary"
	"testing"
	"time"
)

// A caller with any number of good tokens cannot grow the memory of answers.
func TestRememberedAnswersAreBounded(t *testing.T) {
	a, now := newAnswers(time.Second), time.Unix(1, 0)
	var first tokenDigest
	v, mine := a.find(first, now)
	if !mine {
		t.Fatal("an answer was there before the question")
	}
	v.settle(nil)
	for n := range uint64(10 * maxAnswers) {
		var d tokenDigest
		binary.BigEndian.PutUint64(d[:], n+1)
		v, _ := a.find(d, now)
		v.settle(nil)
		if n == maxAnswers/2 {
			if _, mine := a.find(first, now); mine {
				t.Error("an answer was forgotten with room to spare")
			}
		}
	}
	if n := len(a.young) + len(a.old); n > 2*maxAnswers {
		t.Errorf("%d answers are kept", n)
	}
}
