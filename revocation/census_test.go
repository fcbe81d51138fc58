package revocation

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http/httptest"
	"strings"
	"testing"
	"time"
)

// steadySource is a node whose lease runs on.
type steadySource struct{}

func (steadySource) Lease() time.Duration              { return time.Second }
func (steadySource) Covers(a, b string) (bool, error)  { return a >= b, nil }
func (steadySource) CatchUp(ctx context.Context) error { return nil }

func newCensusHub(t *testing.T, now func() time.Time) (h *Hub, ack func(owner string, a *followerAck)) {
	t.Helper()
	h, err := NewHub(HubConfig{Source: steadySource{}, Issuer: "https://app.example", Now: now})
	if err != nil {
		t.Fatal(err)
	}
	ack = func(owner string, a *followerAck) {
		t.Helper()
		body, err := json.Marshal(a)
		if err != nil {
			t.Fatal(err)
		}
		w := httptest.NewRecorder()
		h.ServeAck(w, httptest.NewRequest("POST", "/", strings.NewReader(string(body))), owner)
		if w.Code != 200 {
			t.Fatalf("the acknowledgement is answered with %d %s", w.Code, w.Body)
		}
	}
	return h, ack
}

func appendEnd(t *testing.T, h *Hub, cursor string) {
	t.Helper()
	if err := h.Append([]Entry{{Kind: KindSubject, Subject: "ada", Epoch: 2, Keep: time.Hour}}, cursor); err != nil {
		t.Fatal(err)
	}
}

func TestFollowersAreReportedAsTheyAre(t *testing.T) {
	now := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	h, ack := newCensusHub(t, func() time.Time { return now })
	appendEnd(t, h, "c1")
	ack("orders", &followerAck{Follower: "b", ID: "2", Cursor: "c1", Lags: [][2]uint64{{3, 2}}, CanaryMS: []int64{7, 8}})
	ack("billing", &followerAck{Follower: "z", ID: "1", Cursor: "c1", Local: true})
	ack("orders", &followerAck{Follower: "a", ID: "9", Cursor: "c1"})
	appendEnd(t, h, "c2")
	appendEnd(t, h, "c3")
	now = now.Add(400 * time.Millisecond)
	ack("orders", &followerAck{Follower: "b", ID: "2", Cursor: "c2", CanaryMS: []int64{9}})

	got := h.Followers()
	var names []string
	for _, f := range got {
		names = append(names, f.Owner+"/"+f.Name+"/"+f.ID)
	}
	if fmt.Sprint(names) != "[billing/z/1 orders/a/9 orders/b/2]" {
		t.Fatalf("the followers are %v", names)
	}
	if z := got[0]; !z.Local || z.Age != 400*time.Millisecond || z.Lease != 600*time.Millisecond || z.Behind != 2 || z.Acks != 1 {
		t.Errorf("the silent one is %+v", z)
	}
	if b := got[2]; b.Local || b.Age != 0 || b.Lease != time.Second || b.Behind != 1 || b.Acks != 2 || b.Lags.Count() != 2 || b.Canaries != 3 || fmt.Sprint(b.Canary) != "[7 8 9]" {
		t.Errorf("the other is %+v", b)
	}
	if l := h.Load(); l != (Load{Followers: 3, OldestAck: 400 * time.Millisecond}) {
		t.Errorf("the load is %+v", l)
	}
	now = now.Add(2 * time.Second)
	if l := h.Load(); l.OldestAck != 0 || l.Followers != 3 {
		t.Errorf("with every lease over the load is %+v", l)
	}
	now = now.Add(time.Minute)
	if got := h.Followers(); len(got) != 0 {
		t.Errorf("long after there are still %+v", got)
	}
}

func TestLagsOutliveTheirFollowers(t *testing.T) {
	now := time.Date(2026, 3, 1, 12, 0, 30, 0, time.UTC)
	h, ack := newCensusHub(t, func() time.Time { return now })
	appendEnd(t, h, "c1")
	one := LagOwner{"orders", "a"}
	for i := range 3 { // three starts of the same
		ack("orders", &followerAck{Follower: "a", ID: fmt.Sprint(i), Cursor: "c1", Lags: [][2]uint64{{5, 10}}})
		now = now.Add(time.Minute)
	}
	if told := h.Told()[one]; told.Count() != 30 || len(h.Followers()) != 0 {
		t.Errorf("the lags of those that have gone are %d of %d", told.Count(), len(h.Followers()))
	}
	for i := range maxTold + 5 {
		ack("orders", &followerAck{Follower: fmt.Sprint("f", i), Cursor: "c1", Lags: [][2]uint64{{1, 1}}})
	}
	told := h.Told()
	other := told[LagOwner{Name: otherName}]
	if len(told) != maxTold+1 || other.Count() != 6 || isFollowerName(otherName) {
		t.Errorf("%d names, %d under the common one", len(told), other.Count())
	}
}

func TestTheLastHourIsKeptByTheMinute(t *testing.T) {
	start := time.Date(2026, 3, 1, 12, 0, 30, 0, time.UTC)
	now := start
	h, ack := newCensusHub(t, func() time.Time { return now })
	appendEnd(t, h, "c1")
	for i := range 90 {
		now = start.Add(time.Duration(i) * time.Minute)
		if i%2 == 0 {
			ack("orders", &followerAck{Follower: "a", Cursor: "c1", Lags: [][2]uint64{{uint64(i), 2}}})
			ack("orders", &followerAck{Follower: "b", Cursor: "c1", Lags: [][2]uint64{{uint64(i), 1}}})
		}
	}
	got := h.LastHour()
	if len(got) != 30 {
		t.Fatalf("%d minutes are kept", len(got))
	}
	for i, m := range got {
		minute := 30 + 2*i
		if want := start.Truncate(time.Minute).Add(time.Duration(minute) * time.Minute); !m.Start.Equal(want) || m.Lags[minute] != 3 || m.Lags.Count() != 3 {
			t.Errorf("minute %d is %v with %d", i, m.Start, m.Lags.Count())
		}
	}
	now = now.Add(3 * time.Hour)
	if got := h.LastHour(); len(got) != 0 {
		t.Errorf("hours later there are %d", len(got))
	}
}
