package revocation

import (
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"
)

// req: REVOKE-3
func TestAStrictEndHoldsBehindRelaysOfRelays(t *testing.T) {
	const bound = 2 * time.Second
	k := newTrunk(t, bound)
	first, at1 := relayAt(t, "relay-1", bound, k.feed())
	second, at2 := relayAt(t, "relay-2", bound, at1.feed())
	followers := []*Follower{
		followerAt(t, "at-node", k.feed()),
		followerAt(t, "at-relay-1", at1.feed()),
		followerAt(t, "at-relay-2-a", at2.feed()), followerAt(t, "at-relay-2-b", at2.feed()),
	}
	var stops []func() int
	for _, f := range followers {
		eventually(t, f.cfg.Name+" is in step", func() bool { return inStep(f) })
		stops = append(stops, k.hammer(f))
	}
	for range 200 {
		k.end()
	}
	for i, stop := range stops {
		refused := stop()
		eventually(t, followers[i].cfg.Name+" is in step at the end", func() bool { return inStep(followers[i]) })
		t.Logf("%s refused %d times", followers[i].cfg.Name, refused)
	}
	for _, f := range append(followers, first.f, second.f) {
		eventually(t, f.cfg.Name+" has all entries", func() bool { return f.Status().Entries == 200 })
	}
}

// Above a relay, "covered" means those below it.
func TestARelayAcknowledgesOnlyWhatItsFollowersHave(t *testing.T) {
	const bound = time.Second
	k := newTrunk(t, bound)
	r, _ := relayAt(t, "relay", bound, k.feed())
	eventually(t, "the relay is in step", func() bool { return r.Lease() > 0 })
	if status, newest, lease := ack(t, r.Hub(), "slow", "1000"); status != 200 || newest != "1000" || lease <= 0 || lease > bound {
		t.Fatalf("%d %s %v", status, newest, lease)
	}
	given := time.Now()
	ended := make(chan time.Duration)
	go func() { ended <- k.end() }()
	eventually(t, "the relay has the entry", func() bool { return r.Status().Cursor == "1001" })
	if c := k.hub.Covered(); c.Cursor != "1000" || !slices.Equal(c.Behind, []string{"relay"}) {
		t.Errorf("covered to %q, behind are %q", c.Cursor, c.Behind)
	}
	<-ended
	if waited := time.Since(given); waited < bound*9/10 {
		t.Errorf("the end was reported after %v while a lease ran below the relay", waited)
	}
	// One that answers is waited for no longer.
	ack(t, r.Hub(), "slow", "1001")
	go func() { ended <- k.end() }()
	eventually(t, "the relay has the entry", func() bool { return r.Status().Cursor == "1002" })
	ack(t, r.Hub(), "slow", "1002")
	if took := <-ended; took > bound*9/10 {
		t.Errorf("the end took %v although everybody had acknowledged", took)
	}
}

func TestARelaySaysThatAFollowerOfItsOwnHasRoutesWithoutABound(t *testing.T) {
	const bound = time.Second
	k := newTrunk(t, bound)
	r, _ := relayAt(t, "relay", bound, k.feed())
	eventually(t, "the relay is in step", func() bool { return r.Lease() > 0 })
	if c := k.hub.Covered(); len(c.Local) > 0 {
		t.Errorf("named are %q", c.Local)
	}
	ack(t, r.Hub(), "local-files", "1000")
	eventually(t, "the node names the relay", func() bool { return slices.Equal(k.hub.Covered().Local, []string{"relay"}) })
}

// req: REVOKE-12
func TestARelayThatIsCutOffGrantsNothingAndLosesNothing(t *testing.T) {
	const bound = time.Second
	k := newTrunk(t, bound)
	r, at := relayAt(t, "relay", bound, k.feed())
	below := followerAt(t, "below", at.feed())
	eventually(t, "in step", func() bool { return inStep(below) })
	stop := k.hammer(below)
	for range 5 {
		k.end()
	}
	k.sever(true)
	if took := k.end(); took > 3*bound {
		t.Errorf("with the relay cut off a strict end took %v", took)
	}
	eventually(t, "blind", func() bool { return !inStep(below) })
	if r.Lease() != 0 {
		t.Error("the relay has a lease")
	}
	if status, _, lease := ack(t, r.Hub(), "another", r.Status().Cursor); status != 200 || lease != 0 {
		t.Errorf("a relay that is cut off answers %d and gives a lease of %v", status, lease)
	}
	for range 5 {
		k.end() // while nobody listens
	}
	k.sever(false)
	eventually(t, "in step again", func() bool { return inStep(below) })
	for n := 1; n <= k.last; n++ {
		if err := below.Check(nth(n)); err == nil {
			t.Errorf("the end of session %d was lost", n)
		}
	}
	k.end()
	stop()
}

func TestARelayMayDieAndAnotherTakeItsPlace(t *testing.T) {
	const bound = time.Second
	k := newTrunk(t, bound)
	_, at1 := relayAt(t, "relay-1", bound, k.feed())
	_, at2 := relayAt(t, "relay-2", bound, k.feed())
	below := followerAt(t, "below", at1.feed(), at2.feed())
	eventually(t, "in step", func() bool { return inStep(below) })
	stop := k.hammer(below)
	for range 20 {
		k.end()
	}
	at1.kill()
	for range 20 {
		if took := k.end(); took > 3*bound {
			t.Errorf("after a relay died a strict end took %v", took)
		}
	}
	eventually(t, "it follows the other", func() bool { return inStep(below) && below.Status().Endpoint == at2.feed() })
	k.end()
	if refused := stop(); refused == 0 {
		t.Error("nothing was checked")
	}
}

// Cursors are passed on as they came.
func TestAFollowerMovesFromARelayToTheNodeWithoutASnapshot(t *testing.T) {
	const bound = time.Second
	k := newTrunk(t, bound)
	_, at := relayAt(t, "relay", bound, k.feed())
	below := followerAt(t, "below", at.feed(), k.feed())
	eventually(t, "in step", func() bool { return inStep(below) })
	stop := k.hammer(below)
	for range 5 {
		k.end()
	}
	snapshots := below.Status().Snapshots
	at.kill()
	eventually(t, "it follows the node", func() bool { return inStep(below) && below.Status().Endpoint == k.feed() })
	for range 5 {
		k.end()
	}
	stop()
	if s := below.Status(); s.Snapshots != snapshots || s.Troubles[TroubleRegress] > 0 {
		t.Errorf("%d snapshots more, troubles %v", s.Snapshots-snapshots, s.Troubles)
	}
}

// A cursor that a relay has not met may be from before or from after what it has.
func TestARelaySendsCursorsThatItHasNotMetForASnapshot(t *testing.T) {
	const bound = time.Second
	k := newTrunk(t, bound)
	r, _ := relayAt(t, "relay", bound, k.feed())
	eventually(t, "in step", func() bool { return r.Lease() > 0 })
	for _, cursor := range []string{"999", "1001", "elsewhere"} {
		if status, _, lease := ack(t, r.Hub(), "a", cursor); status != http.StatusGone || lease != 0 {
			t.Errorf("%s: %d, a lease of %v", cursor, status, lease)
		}
	}
}

// Two nodes may cut the feed of a store with two parts differently, so that after
// a move a relay's cursors would not be in order. Somebody from elsewhere who
// brings one must not profit from a lease that stands for more.
func TestARelayGoesOnExactlyWhereItIsOrBeginsAnew(t *testing.T) {
	r, err := NewRelay(RelayConfig{Upstream: FollowerConfig{Endpoints: []string{"https://a.example"}, Issuer: feedIssuer}})
	if err != nil {
		t.Fatal(err)
	}
	snapshot := func(cursor string, entries ...Entry) {
		r.f.set.Apply(0, entries...)
		r.restart(&Snapshot{SnapshotHead: SnapshotHead{Cursor: cursor}})
		r.f.advance(cursor)
	}
	hello := func(instance, behind string) (*line, error) {
		l := &line{f: r.f}
		return l, l.hello(&Event{Name: EventHello, Cursor: behind, Issuer: feedIssuer, Instance: instance, Bound: testBound})
	}
	connect := func(instance, behind string) *line {
		l, err := hello(instance, behind)
		if err != nil {
			t.Fatal(err)
		}
		return l
	}
	take := func(l *line, cursor string, id byte) {
		if err := l.take(&Event{Name: EventRevoked, Cursor: cursor, Entries: []Entry{sessionEntry(id)}}); err != nil {
			t.Fatal(err)
		}
	}
	grant := func(l *line, newest string) { l.promised(promise{l.asked(), newest, testBound}, "") }

	snapshot("part1:0,part2:0")
	one := connect("one", "part1:0,part2:0")
	take(one, "part1:1,part2:0", 1)
	one = connect("one", "part1:1,part2:0") // the line broke
	take(one, "part1:4,part2:0", 4)
	grant(one, "part1:4,part2:0")
	if status, _, lease := ack(t, r.Hub(), "here", "part1:1,part2:0"); status != 200 || lease <= 0 {
		t.Errorf("a follower from before the line broke: %d, %v", status, lease)
	}
	if status, _, lease := ack(t, r.Hub(), "here", "part1:4,part2:0"); status != 200 || lease <= 0 {
		t.Fatalf("a follower that has everything: %d, %v", status, lease)
	}
	if c := r.covered(); c != "part1:4,part2:0" {
		t.Fatalf("acknowledged is %q", c)
	}

	for _, behind := range []string{"", "part1:3,part2:0"} {
		if _, err := hello("two", behind); troubleOf(err) != TroubleResync {
			t.Errorf("a node that goes on behind %q: %v", behind, err)
		}
	}
	snapshot("part1:3,part2:2", sessionEntry(2))
	two := connect("two", "part1:3,part2:2")
	// This one has the cursor from elsewhere, without the fourth entry of part 1.
	if status, _, lease := ack(t, r.Hub(), "stranger", "part1:3,part2:2"); status != 200 || lease != 0 {
		t.Errorf("a stranger is answered with %d and a lease of %v from what the first node gave", status, lease)
	}
	if c := r.covered(); c != "" {
		t.Errorf("%q is acknowledged while a lease from before runs", c)
	}
	if status, _, _ := ack(t, r.Hub(), "here", "part1:4,part2:0"); status != http.StatusGone {
		t.Errorf("a cursor from before: %d", status)
	}
	ack(t, r.Hub(), "here", "part1:3,part2:2") // it took a snapshot
	if c := r.covered(); c != "part1:3,part2:2" {
		t.Errorf("acknowledged is %q", c)
	}
	if err := two.take(&Event{Name: EventHeartbeat, Cursor: "part1:3,part2:2", Issuer: feedIssuer, Instance: "two"}); err != nil {
		t.Fatal(err)
	}
	grant(two, "part1:3,part2:2")
	if status, _, lease := ack(t, r.Hub(), "stranger", "part1:3,part2:2"); status != 200 || lease <= 0 {
		t.Errorf("by the second node's lease: %d, %v", status, lease)
	}
	// The stranger's snapshot has everything, whatever the cursor says.
	w := httptest.NewRecorder()
	r.Hub().ServeSnapshot(w, httptest.NewRequest("GET", "/snapshot", nil))
	s, err := ReadSnapshot(w.Body, 0)
	if err != nil || s.Len() != 3 || s.Cursor != "part1:3,part2:2" {
		t.Errorf("the snapshot: %+v, %v", s, err)
	}
}

// A line that breaks costs those behind it nothing.
func TestFollowersOfARelayDoNotNoticeThatItsLineBroke(t *testing.T) {
	const bound = time.Second
	k := newTrunk(t, bound)
	r, at := relayAt(t, "relay", bound, k.feed())
	below := followerAt(t, "below", at.feed())
	eventually(t, "in step", func() bool { return inStep(below) })
	k.end()
	before, above := below.Status(), r.Status()
	stop := k.hammer(below)
	for range 5 {
		k.CloseClientConnections()
		k.end()
	}
	stop()
	s := below.Status()
	if s.Snapshots != before.Snapshots || s.Connections != before.Connections || r.Status().Connections == above.Connections {
		t.Errorf("%d snapshots, %d connections more; the relay connected %d times", s.Snapshots-before.Snapshots, s.Connections-before.Connections, r.Status().Connections-above.Connections)
	}
}

// One that does not answer must not cost the others their leases, nor be passed
// over.
func TestARelayHasALeaseWhileOneOfItsFollowersHasStillToBeginAnew(t *testing.T) {
	const bound = 4 * time.Second
	k := newTrunk(t, bound)
	r, _ := relayAt(t, "relay", bound, k.feed())
	eventually(t, "in step", func() bool { return r.Lease() > 0 })
	if _, _, lease := ack(t, r.Hub(), "stopped", "1000"); lease <= 0 {
		t.Fatal(lease)
	}
	given := time.Now()
	k.hub.begin("2000")
	eventually(t, "the relay has a lease again", func() bool { return r.Status().Cursor == "2000" && r.Lease() > 0 })
	if _, _, lease := ack(t, r.Hub(), "well", "2000"); lease <= 0 {
		t.Error("the follower that answers gets no lease")
	}
	if c := k.hub.Covered(); c.Cursor != "" && time.Since(given) < bound*9/10 {
		t.Errorf("covered to %q while a lease from before runs below the relay", c.Cursor)
	}
	if waited := time.Since(given); waited > bound*9/10 {
		t.Errorf("the relay was without a lease for %v", waited)
	}
	eventually(t, "covered", func() bool { return k.hub.Covered().Cursor == "2000" })
}

// What cannot be sent as an event is not passed over: it comes with a snapshot.
func TestABatchThatARelayCannotSendMakesItsFollowersBeginAnew(t *testing.T) {
	r, err := NewRelay(RelayConfig{Upstream: FollowerConfig{Endpoints: []string{"https://a.example"}, Issuer: feedIssuer}})
	if err != nil {
		t.Fatal(err)
	}
	r.begin("1")
	ack(t, r.Hub(), "a", "1")
	r.apply([]Entry{{Kind: 9}}, "2")
	if status, _, _ := ack(t, r.Hub(), "a", "1"); status != http.StatusGone {
		t.Errorf("a follower from before is answered with %d", status)
	}
	if status, newest, _ := ack(t, r.Hub(), "a", "2"); status != 200 || newest != "2" {
		t.Errorf("behind the snapshot: %d, %q", status, newest)
	}
}

// Each relay adds the tolerance that its own clocks need, and entries that are
// kept for the longest time stay sound.
func TestEntriesAreKeptLongerBelowARelay(t *testing.T) {
	r, err := NewRelay(RelayConfig{Upstream: FollowerConfig{Endpoints: []string{"https://a.example"}, Issuer: feedIssuer}})
	if err != nil {
		t.Fatal(err)
	}
	r.begin("1")
	long, short := sessionEntry(1), sessionEntry(2)
	long.Keep = MaxKeep
	r.apply([]Entry{long, short}, "2")
	frame := r.hub.last().frame
	hello, err := r.hub.hello("1")
	if err != nil {
		t.Fatal(err)
	}
	read := NewReader(strings.NewReader(string(hello.Append(nil, 0))+string(frame.Append(nil, 1))), 0)
	read.Next()
	e, err := read.Next()
	if err != nil || len(e.Entries) != 2 {
		t.Fatal(err)
	}
	if e.Entries[0].Keep != MaxKeep || e.Entries[1].Keep <= short.Keep+clockTolerance || e.Entries[1].At != short.At {
		t.Errorf("passed on: %+v", e.Entries)
	}
}

func TestNewRelayNamesTheFieldThatIsWrong(t *testing.T) {
	good := FollowerConfig{Endpoints: []string{"https://a.example"}, Issuer: feedIssuer}
	taken := good
	taken.Covered = func() string { return "" }
	for want, cfg := range map[string]RelayConfig{
		"Covered":   {Upstream: taken},
		"Endpoints": {Upstream: FollowerConfig{Issuer: feedIssuer}},
		"Ring":      {Upstream: good, Ring: -1},
	} {
		if _, err := NewRelay(cfg); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v, want the name %s", err, want)
		}
	}
}
