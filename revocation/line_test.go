package revocation

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// Each of these ends the connection, is named in the log once, and never makes
// the follower fresh; what it knew before stays.
func TestFaultyAndForgedFeeds(t *testing.T) {
	heartbeat := Event{Name: EventHeartbeat, Cursor: "c0", Issuer: feedIssuer, Instance: "one"}
	revoked := Event{Name: EventRevoked, Cursor: "c9", Entries: []Entry{sessionEntry(9)}}
	stream := func(f func(*tap)) func(*fakeNode) {
		return func(n *fakeNode) {
			n.quiet, n.noHello = true, true
			n.onAck = func(_ *followerAck, a map[string]any) string {
				a["newest"] = "c9" // which no proper event shows
				return ""
			}
			go func() {
				for seen := 0; ; {
					time.Sleep(time.Millisecond)
					n.mu.Lock()
					taps := n.taps[seen:]
					seen = len(n.taps)
					n.mu.Unlock()
					for _, p := range taps {
						f(p)
					}
					if seen > 3 {
						return
					}
				}
			}()
		}
	}
	hello := Event{Name: EventHello, Issuer: feedIssuer, Instance: "one", Bound: feedBound}
	ack := func(f func(map[string]any) string) func(*fakeNode) {
		return func(n *fakeNode) {
			n.onAck = func(_ *followerAck, a map[string]any) string { return f(a) }
		}
	}
	status := func(part string, s int) func(*fakeNode) {
		return func(n *fakeNode) { n.respond[part] = s }
	}
	for _, c := range []struct {
		name    string
		trouble Trouble
		named   string // in the log
		play    func(*fakeNode)
	}{
		{"another issuer", TroubleIssuer, "https://evil.example", stream(func(p *tap) {
			p.send(Event{Name: EventHello, Issuer: "https://evil.example", Instance: "one", Bound: feedBound})
		})},
		{"no hello first", TroubleOrder, "hello comes first", stream(func(p *tap) { p.send(heartbeat) })},
		{"a second hello", TroubleOrder, "hello comes first", stream(func(p *tap) { p.send(hello); p.send(hello) })},
		{"an event is missing", TroubleOrder, "want 1", stream(func(p *tap) { p.send(hello); p.sendAs(revoked, 1) })},
		{"an event is repeated", TroubleOrder, "want 2", stream(func(p *tap) { p.send(hello); p.send(heartbeat); p.sendAs(revoked, -1) })},
		{"a heartbeat of another issuer", TroubleIssuer, "https://evil.example", stream(func(p *tap) {
			p.send(hello)
			p.send(Event{Name: EventHeartbeat, Cursor: "c9", Issuer: "https://evil.example", Instance: "one"})
		})},
		{"a heartbeat of another node", TroubleInstance, "two", stream(func(p *tap) {
			p.send(hello)
			p.send(Event{Name: EventHeartbeat, Cursor: "c9", Issuer: feedIssuer, Instance: "two"})
		})},
		{"not JSON", TroubleMalformed, "data", stream(func(p *tap) { p.send(hello); p.raw("event: revoked\nid: c9\ndata: {\"n\":1,\n\n") })},
		{"an entry of a kind that nobody knows", TroubleMalformed, "kind", stream(func(p *tap) {
			p.send(hello)
			p.raw("event: revoked\nid: c9\ndata: {\"n\":1,\"entries\":[{\"kind\":\"everybody\",\"at\":1,\"keep_ms\":1}]}\n\n")
		})},
		{"an event without end", TroubleMalformed, "longer than", stream(func(p *tap) {
			p.send(hello)
			for range 40 {
				p.raw("data: " + strings.Repeat(" ", 64<<10) + "\n")
			}
		})},
		{"a stream that ends inside an event", TroubleEnded, "EOF", stream(func(p *tap) { p.send(hello); p.raw("event: revoked\n"); p.w.Close() })},
		{"a stream without anything in it", TroubleEnded, "EOF", stream(func(p *tap) { p.w.Close() })},
		{"silence from the beginning", TroubleUnreachable, "no stream within 5s", stream(func(p *tap) {})},
		{"silence later", TroubleIdle, "nothing came for 1.5s", stream(func(p *tap) { p.send(hello) })},
		{"a resync that never ends", TroubleResync, "again", stream(func(p *tap) { p.send(hello); p.send(Event{Name: EventResync, Reason: "again"}) })},

		{"a redirect of the stream", TroubleRedirect, "redirect", status("revocations", http.StatusMovedPermanently)},
		{"a redirect of the snapshot", TroubleRedirect, "redirect", status("snapshot", http.StatusFound)},
		{"a redirect of the acknowledgement", TroubleRedirect, "redirect", status("ack", http.StatusTemporaryRedirect)},
		{"no credentials", TroubleCredentials, "credentials", status("revocations", http.StatusUnauthorized)},
		{"credentials that may not acknowledge", TroubleCredentials, "credentials", status("ack", http.StatusForbidden)},
		{"an overloaded node", TroubleStatus, "503", status("revocations", http.StatusServiceUnavailable)},
		{"a node that is not one", TroubleStatus, "404", status("snapshot", http.StatusNotFound)},
		{"acknowledgements reach another node", TroubleInstance, "another node", status("ack", http.StatusMisdirectedRequest)},
		{"a cursor that the node cannot know", TroubleRegress, "restored backup", status("ack", http.StatusConflict)},
		{"a cursor that the stream cannot know", TroubleRegress, "restored backup", status("revocations", http.StatusConflict)},
		{"a follower always too far behind", TroubleResync, "missed", status("ack", http.StatusGone)},
		{"a dead address", TroubleUnreachable, "refused", func(n *fakeNode) { n.down = true }},
		{"a node that hangs", TroubleUnreachable, "no snapshot within 5s", func(n *fakeNode) { n.hang = true }},

		{"an answer from another node", TroubleInstance, "two", ack(func(a map[string]any) string { a["instance"] = "two"; return "" })},
		{"an answer without a lease", TroubleMalformed, "lacks", ack(func(a map[string]any) string { delete(a, "lease_ms"); return "" })},
		{"an answer without a cursor", TroubleMalformed, "newest", ack(func(a map[string]any) string { a["newest"] = ""; return "" })},
		{"an answer with a lease that is no number", TroubleMalformed, "lease_ms", ack(func(a map[string]any) string { a["lease_ms"] = 0.5; return "" })},
		{"an answer with two leases", TroubleMalformed, "twice", ack(func(map[string]any) string { return `{"lease_ms":2000,"lease_ms":2000}` })},
		{"an answer that is no JSON", TroubleMalformed, "object", ack(func(map[string]any) string { return "yes" })},
		{"an answer that does not end", TroubleMalformed, "too long", ack(func(map[string]any) string { return strings.Repeat(" ", maxAckAnswer+1) })},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				node := newFakeNode("one")
				w := newFeedWorld(t, FollowerConfig{}, node)
				w.f.set.Apply(0, sessionEntry(1))
				c.play(node)
				w.start()
				defer w.end()
				for range 200 {
					w.after(100 * time.Millisecond)
					if state, _, _ := w.f.State(); state != Blind {
						t.Fatal("the follower is fresh")
					}
				}
				w.wantCheck(badge(1), ErrRevoked)
				if n := w.f.Status().Troubles[c.trouble]; n < 2 {
					t.Errorf("met %d times in 20 s; troubles %v", n, w.f.Status().Troubles)
				}
				log := w.log.String()
				if strings.Count(log, "trouble="+string(c.trouble)) != 1 || !strings.Contains(log, c.named) {
					t.Errorf("the log does not name %s with %q once:\n%s", c.trouble, c.named, log)
				}
			})
		})
	}
}

// A snapshot that is not whole, or another issuer's, changes nothing.
func TestBadSnapshots(t *testing.T) {
	for _, c := range []struct {
		name    string
		trouble Trouble
		change  func([]byte) []byte
		head    SnapshotHead
		max     int
	}{
		{"cut off", TroubleSnapshot, func(b []byte) []byte { return b[:len(b)-1] }, SnapshotHead{feedIssuer, "one", "c1"}, 0},
		{"altered", TroubleSnapshot, func(b []byte) []byte { b[len(b)-40] ^= 1; return b }, SnapshotHead{feedIssuer, "one", "c1"}, 0},
		{"another issuer", TroubleIssuer, nil, SnapshotHead{"https://evil.example", "one", "c1"}, 0},
		{"no cursor", TroubleSnapshot, nil, SnapshotHead{feedIssuer, "one", ""}, 0},
		{"too many entries", TroubleSnapshot, nil, SnapshotHead{feedIssuer, "one", "c1"}, 1},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				node := newFakeNode("one")
				node.set.Apply(0, sessionEntry(1), sessionEntry(2))
				node.snapshot = func(b []byte) []byte {
					if c.change != nil {
						return c.change(b)
					}
					return b
				}
				node.head = &c.head
				w := newFeedWorld(t, FollowerConfig{MaxEntries: c.max}, node).start()
				defer w.end()
				w.after(20 * time.Second)
				w.want(Blind)
				if n := w.f.Status().Troubles[c.trouble]; n < 2 || w.f.Status().Entries != 0 {
					t.Errorf("status %+v", w.f.Status())
				}
			})
		})
	}
}

func TestResyncTakesASnapshotWithoutGoingBlind(t *testing.T) {
	for _, how := range []string{"event", "answer to an acknowledgement"} {
		t.Run(how, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				node := newFakeNode("one")
				w := newFeedWorld(t, FollowerConfig{}, node).start()
				defer w.end()
				w.after(3 * time.Second)
				node.change(func() {
					node.set.Apply(0, sessionEntry(7))
					node.newest = "c7"
				})
				if how == "event" {
					node.last().send(Event{Name: EventResync, Reason: "too slow"})
				} else {
					node.change(func() { node.respond["ack"] = http.StatusGone })
					w.after(feedBound / 4)
					node.change(func() { node.respond["ack"] = 0 })
					w.after(50 * time.Millisecond)
				}
				synctest.Wait()
				w.want(Fresh)
				w.wantCheck(badge(7), ErrRevoked)
				if tap := node.last(); tap.after != "c7" {
					t.Errorf("went on behind %q", tap.after)
				}
			})
		})
	}
}

// A restored backup: what was promised about the lost state holds no longer, what
// was revoked stays so.
func TestRegressIsBlindAtOnceAndKeepsWhatItKnew(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		node := newFakeNode("one")
		w := newFeedWorld(t, FollowerConfig{}, node).start()
		defer w.end()
		node.end("c1", sessionEntry(1))
		w.after(3 * time.Second)
		w.want(Fresh)
		node.change(func() {
			node.set, node.newest = NewSet(), "d0" // as it was before c1
			node.respond["ack"] = http.StatusConflict
			node.hangSnapshot = true
		})
		w.after(feedBound / 4)
		w.want(Blind)
		if !strings.Contains(w.log.String(), "level=ERROR") {
			t.Errorf("log:\n%s", &w.log)
		}
		node.change(func() { delete(node.respond, "ack"); node.hangSnapshot = false })
		w.after(mostPatience + time.Second)
		w.want(Fresh)
		w.wantCheck(badge(1), ErrRevoked)
		if tap := node.last(); tap.after != "d0" {
			t.Errorf("went on behind %q", tap.after)
		}
	})
}

// The node says so on the stream; an acknowledgement of a cursor that it does not
// know would be taken for a sign that the store went back.
func TestNothingIsAcknowledgedBeforeTheNodeHasTakenTheCursor(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		node := newFakeNode("one")
		node.quiet = true
		w := newFeedWorld(t, FollowerConfig{}, node).start()
		defer w.end()
		w.after(feedBound / 2)
		if n := node.count("ack"); n != 0 {
			t.Errorf("%d acknowledgements", n)
		}
		node.last().send(Event{Name: EventHeartbeat, Cursor: "c0", Issuer: feedIssuer, Instance: "one"})
		synctest.Wait()
		w.want(Fresh)
	})
}

func TestFeedWithMoreEntriesThanAllowedIsNotFollowed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		node := newFakeNode("one")
		w := newFeedWorld(t, FollowerConfig{MaxEntries: 2}, node).start()
		defer w.end()
		node.end("c2", sessionEntry(1), sessionEntry(2))
		synctest.Wait()
		w.wantCheck(badge(2), ErrRevoked)
		node.end("c3", sessionEntry(3))
		w.after(feedBound)
		w.want(Blind)
		if n := w.f.Status().Troubles[TroubleFull]; n == 0 {
			t.Errorf("troubles %v", w.f.Status().Troubles)
		}
	})
}

// The first retry is at once, later ones wait, at most half the longest lease.
func TestRetriesBackOff(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		node := newFakeNode("one")
		node.down = true
		w := newFeedWorld(t, FollowerConfig{}, node).start()
		defer w.end()
		if n := node.count("snapshot"); n < 2 {
			t.Errorf("%d attempts at once, want two", n)
		}
		w.after(2 * time.Minute)
		node.mu.Lock()
		defer node.mu.Unlock()
		if n := len(node.opened); n < 30 || n > 200 {
			t.Errorf("%d attempts in two minutes", n)
		}
		var longest time.Duration
		for i := 1; i < len(node.opened); i++ {
			longest = max(longest, node.opened[i].Sub(node.opened[i-1]))
		}
		if longest > defaultMaxLease/2 || longest < defaultMaxLease/8 {
			t.Errorf("longest pause %v", longest)
		}
	})
}

func TestRefusedCredentialsAreNotHammered(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a, b := newFakeNode("a"), newFakeNode("b")
		a.respond["snapshot"], b.respond["snapshot"] = http.StatusUnauthorized, http.StatusForbidden
		calls := 0
		w := newFeedWorld(t, FollowerConfig{Authorize: func(r *http.Request) {
			calls++
			r.Header.Set("Authorization", fmt.Sprint("Bearer ", calls))
		}}, a, b).start()
		w.after(10 * time.Minute)
		w.end()
		if n := len(a.auth) + len(b.auth); n < 20 || n > 60 {
			t.Errorf("%d attempts in ten minutes", n)
		}
		if a.auth[0] != "Bearer 1" || b.auth[0] != "Bearer 2" {
			t.Errorf("credentials %q and %q", a.auth[0], b.auth[0])
		}
	})
}
