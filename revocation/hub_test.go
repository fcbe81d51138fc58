package revocation

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"net/http/httptest"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"
)

// numbers is a node whose cursors are numbers, under a clock that the test moves.
type numbers struct {
	now   time.Time
	lease time.Duration
	fresh func() // called by CatchUp
}

func (n *numbers) Lease() time.Duration { return n.lease }

func (n *numbers) Covers(have, want string) (bool, error) {
	h, err1 := strconv.Atoi(have)
	w, err2 := strconv.Atoi(want)
	return h >= w, errors.Join(err1, err2)
}

func (n *numbers) CatchUp(context.Context) error {
	if n.fresh != nil {
		n.fresh()
	}
	return nil
}

const testBound = 2 * time.Second

func newTestHub(t *testing.T) (*Hub, *numbers) {
	t.Helper()
	n := &numbers{now: time.Unix(1_000_000, 0), lease: testBound}
	h, err := NewHub(HubConfig{Source: n, Issuer: "https://app.example", Bound: testBound, Ring: 8, MaxFollowers: 3, Now: func() time.Time { return n.now }})
	if err != nil {
		t.Fatal(err)
	}
	return h, n
}

// end appends an entry behind which the cursor is at.
func end(t *testing.T, h *Hub, at int) {
	t.Helper()
	e := Entry{Kind: KindSession, SID: SID{1, byte(at)}, Keep: time.Minute}
	if err := h.Append([]Entry{e}, strconv.Itoa(at)); err != nil {
		t.Fatal(err)
	}
}

// ack acknowledges over HTTP and returns the status and what was granted.
func ack(t *testing.T, h *Hub, follower, cursor string) (status int, newest string, lease time.Duration) {
	t.Helper()
	body := `{"follower":"` + follower + `","cursor":"` + cursor + `","local":` + strconv.FormatBool(strings.HasPrefix(follower, "local")) + `}`
	w := httptest.NewRecorder()
	h.ServeAck(w, httptest.NewRequest("POST", "/ack", strings.NewReader(body)), "owner")
	var answer struct {
		Newest string `json:"newest"`
		Lease  int64  `json:"lease_ms"`
	}
	if err := json.Unmarshal(w.Body.Bytes(), &answer); err != nil {
		t.Fatalf("%s: %v", w.Body, err)
	}
	return w.Code, answer.Newest, time.Duration(answer.Lease) * time.Millisecond
}

func TestCoverageWaitsForAcknowledgementsAndForLeasesThatRun(t *testing.T) {
	h, n := newTestHub(t)
	end(t, h, 1)
	want := func(step, cursor string, behind ...string) {
		t.Helper()
		c := h.Covered()
		slices.Sort(c.Behind)
		if c.Cursor != cursor || !slices.Equal(c.Behind, behind) {
			t.Errorf("%s: covered to %q, behind are %q, want %q and %q", step, c.Cursor, c.Behind, cursor, behind)
		}
	}
	want("without followers", "1")
	ack(t, h, "a", "1")
	ack(t, h, "b", "1")
	end(t, h, 2)
	want("an entry that nobody has yet", "1", "a", "b")
	ack(t, h, "a", "2")
	want("one has it", "1", "b")
	end(t, h, 3)
	ack(t, h, "b", "2")
	want("both have the first of two", "2", "a", "b")
	ack(t, h, "b", "3")
	ack(t, h, "a", "3")
	want("both have both", "3")

	// A acknowledges nothing more. Its lease was given when 3 was the newest, so
	// it may go by 3 until the lease ends, and 1 % longer by a slower clock.
	end(t, h, 4)
	ack(t, h, "b", "4")
	n.now = n.now.Add(testBound + testBound/200)
	want("at the end of the lease, by a fast clock", "3", "a")
	n.now = n.now.Add(testBound / 100)
	want("behind it", "4")
}

// A lease that is given while an entry is known does not stand in its way: it
// counts only once the follower has applied that entry.
func TestALeaseGivenAfterAnEntryDoesNotHoldItUp(t *testing.T) {
	h, n := newTestHub(t)
	end(t, h, 1)
	ack(t, h, "a", "1")
	end(t, h, 2)
	n.now = n.now.Add(testBound * 3 / 4)
	if status, newest, _ := ack(t, h, "a", "1"); status != 200 || newest != "2" {
		t.Fatalf("an acknowledgement of what is old is answered with %d, %q", status, newest)
	}
	if c := h.Covered().Cursor; c != "1" {
		t.Errorf("covered to %s while the first lease runs", c)
	}
	n.now = n.now.Add(testBound / 2)
	if c := h.Covered().Cursor; c != "2" {
		t.Errorf("covered to %s when only the second lease runs", c)
	}
}

func TestNoLeaseOutlastsTheNodesOwn(t *testing.T) {
	h, n := newTestHub(t)
	end(t, h, 1)
	n.lease = 700 * time.Millisecond
	if _, _, lease := ack(t, h, "a", "1"); lease != n.lease {
		t.Errorf("a lease of %v was given, the node's own is %v", lease, n.lease)
	}
	n.lease = 0
	if status, _, lease := ack(t, h, "a", "1"); status != 200 || lease != 0 {
		t.Errorf("a node without a lease answers %d and gives %v", status, lease)
	}
}

func TestAnAcknowledgementForAnotherNodeIsSentAway(t *testing.T) {
	h, _ := newTestHub(t)
	end(t, h, 1)
	w := httptest.NewRecorder()
	h.ServeAck(w, httptest.NewRequest("POST", "/ack", strings.NewReader(`{"follower":"a","cursor":"1","instance":"another"}`)), "owner")
	if w.Code != http.StatusMisdirectedRequest {
		t.Errorf("%d %s", w.Code, w.Body)
	}
}

// Two processes of one name, such as one stopped and the one that took its
// place, must not acknowledge for each other.
func TestNobodyAcknowledgesForAnother(t *testing.T) {
	h, _ := newTestHub(t)
	end(t, h, 1)
	send := func(owner, id, cursor string) {
		w := httptest.NewRecorder()
		h.ServeAck(w, httptest.NewRequest("POST", "/ack", strings.NewReader(`{"follower":"orders","id":"`+id+`","cursor":"`+cursor+`"}`)), owner)
		if w.Code != 200 {
			t.Fatal(w.Body)
		}
	}
	send("shop", "x1", "1")
	send("shop", "x2", "1")
	send("bank", "x1", "1")
	end(t, h, 2)
	for _, who := range [][2]string{{"shop", "x2"}, {"bank", "x1"}} {
		send(who[0], who[1], "2")
		if c := h.Covered().Cursor; c != "1" {
			t.Errorf("%v acknowledged for another", who)
		}
	}
	send("shop", "x1", "2")
	if c := h.Covered().Cursor; c != "2" {
		t.Errorf("all have acknowledged, and %s is covered", c)
	}
}

func TestFollowersWithLocalRoutesAreNamed(t *testing.T) {
	h, n := newTestHub(t)
	end(t, h, 1)
	ack(t, h, "local-files", "1")
	ack(t, h, "orders", "1")
	n.now = n.now.Add(3 * testBound)
	if c := h.Covered(); !slices.Equal(c.Local, []string{"local-files"}) {
		t.Errorf("named are %q", c.Local)
	}
}

func TestCursorsOfAnotherNodeAreUnderstood(t *testing.T) {
	h, n := newTestHub(t)
	for _, at := range []int{10, 20, 30} {
		end(t, h, at)
	}
	if status, newest, _ := ack(t, h, "a", "25"); status != 200 || newest != "30" {
		t.Errorf("a cursor between two places: %d, %q", status, newest)
	}
	// It has heard of something before this node has.
	n.fresh = func() { end(t, h, 40) }
	if status, newest, _ := ack(t, h, "b", "40"); status != 200 || newest != "40" {
		t.Errorf("a cursor that the node had still to reach: %d, %q", status, newest)
	}
	// It follows what the store has lost.
	n.fresh = nil
	if status, _, lease := ack(t, h, "c", "99"); status != 409 || lease != 0 {
		t.Errorf("a cursor ahead of the store: %d, a lease of %v", status, lease)
	}
	if status, _, lease := ack(t, h, "c", "nonsense"); status != 409 || lease != 0 {
		t.Errorf("a cursor of another feed: %d, a lease of %v", status, lease)
	}
	// One from before all places acknowledges nothing, and gets its lease.
	n.now = n.now.Add(time.Hour)
	if status, newest, lease := ack(t, h, "c", "5"); status != 200 || newest != "40" || lease == 0 {
		t.Errorf("a cursor from long ago: %d, %q, a lease of %v", status, newest, lease)
	}
	end(t, h, 50)
	if c := h.Covered().Cursor; c != "40" {
		t.Errorf("covered to %q", c)
	}
}

func TestAfterARestartCursorsFromBeforeMeanNothingAndLeasesStillCount(t *testing.T) {
	h, n := newTestHub(t)
	end(t, h, 1)
	ack(t, h, "a", "1")
	h.Restart()
	if status, _, _ := ack(t, h, "a", "1"); status != 409 {
		t.Errorf("before the feed was read again: %d", status)
	}
	end(t, h, 2)
	if c := h.Covered().Cursor; c != "" {
		t.Errorf("covered to %q while a lease from before runs", c)
	}
	n.now = n.now.Add(testBound * 2)
	if c := h.Covered().Cursor; c != "2" {
		t.Errorf("covered to %q when it has run out", c)
	}
}

// An entry that cannot be sent must not be passed over.
func TestWhatCannotBeSentIsNotAppended(t *testing.T) {
	h, _ := newTestHub(t)
	end(t, h, 1)
	if err := h.Append([]Entry{{Kind: 9, Keep: time.Minute}}, "2"); err == nil {
		t.Error("an entry of no kind was appended")
	}
	if err := h.Append(make([]Entry, MaxBatch+1), "2"); err == nil {
		t.Error("too many entries at one cursor were appended")
	}
	if err := h.Append(nil, "two\nlines"); err == nil {
		t.Error("a cursor of two lines was appended")
	}
	if status, newest, _ := ack(t, h, "a", "1"); status != 200 || newest != "1" {
		t.Errorf("afterwards: %d, %q", status, newest)
	}
}

// attack: H4
func TestFollowersHaveABound(t *testing.T) {
	h, n := newTestHub(t)
	end(t, h, 1)
	for _, f := range []string{"a", "b", "c"} {
		if status, _, _ := ack(t, h, f, "1"); status != 200 {
			t.Fatalf("%s: %d", f, status)
		}
	}
	if status, _, _ := ack(t, h, "d", "1"); status != 503 {
		t.Errorf("one too many is answered with %d", status)
	}
	n.now = n.now.Add(time.Minute)
	if status, _, _ := ack(t, h, "d", "1"); status != 200 {
		t.Errorf("when the others are gone it is answered with %d", status)
	}
}

// A hostile follower cannot make the hub keep a grant for each acknowledgement.
func TestGrantsOfOneFollowerAreBounded(t *testing.T) {
	h, _ := newTestHub(t)
	end(t, h, 1)
	for range 1000 {
		ack(t, h, "a", "1")
	}
	for _, m := range h.followers {
		if len(m.grants) > 2 {
			t.Errorf("%d grants are kept", len(m.grants))
		}
	}
}

func TestMalformedAcknowledgementsAreRefusedByName(t *testing.T) {
	h, _ := newTestHub(t)
	end(t, h, 1)
	for body, names := range map[string]string{
		``:                                    "cannot be read",
		`{"follower":"a"}`:                    "cursor",
		`{"follower":"","cursor":"1"}`:        "follower",
		`{"follower":"a b","cursor":"1"}`:     "follower",
		`{"follower":"a","cursor":"1"} {}`:    "goes on",
		`{"follower":"a","cursor":"1","x":1}`: "x",
		`{"follower":"a","cursor":"1","lags":[[9999,1]]}`:                                                        "lags",
		`{"follower":"a","cursor":"1","canary_ms":[` + strings.TrimSuffix(strings.Repeat("1,", 100), ",") + `]}`: "canary_ms",
		`{"follower":"a","cursor":"` + strings.Repeat("x", MaxCursor+1) + `"}`:                                   "cursor",
	} {
		w := httptest.NewRecorder()
		h.ServeAck(w, httptest.NewRequest("POST", "/ack", strings.NewReader(body)), "owner")
		if w.Code != http.StatusBadRequest || !strings.Contains(w.Body.String(), names) {
			t.Errorf("%.60s: %d %s", body, w.Code, w.Body)
		}
	}
}

func TestAHugeAcknowledgementIsCutOff(t *testing.T) {
	h, _ := newTestHub(t)
	end(t, h, 1)
	body := strings.NewReader(`{"follower":"` + strings.Repeat("x", 10<<20) + `"}`)
	w := httptest.NewRecorder()
	h.ServeAck(w, httptest.NewRequest("POST", "/ack", body), "owner")
	if read := 10<<20 - body.Len(); w.Code != http.StatusRequestEntityTooLarge || read > 80<<10 {
		t.Errorf("%d after %d bytes", w.Code, read)
	}
}
