package lanyard_test

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"maps"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/lanyard-go/lanyard"
	"github.com/lanyard-go/lanyard/revocation/statuslist"
	"github.com/lanyard-go/lanyard/verifier"
)

// lists gives places as an issuer does, and knows which sessions have which.
type lists struct {
	deck   *statuslist.Deck
	broken bool
	drawn  int
}

var errNoPlace = errors.New("no place is left")

func (l *lists) Draw() (lanyard.StatusIndex, error) {
	if l.broken {
		return lanyard.StatusIndex{}, errNoPlace
	}
	l.drawn++
	list, index, err := l.deck.Draw()
	return lanyard.StatusIndex{List: list, Index: uint32(index)}, err
}

func (l *lists) Claim(p lanyard.StatusPlace) (any, error) {
	if l.broken {
		return nil, errNoPlace
	}
	return statuslist.Reference{URI: uriOf(p), Index: int(p.Index)}.Claim()
}

func uriOf(p lanyard.StatusPlace) string {
	return site + "/lists/" + hex.EncodeToString(p.List[:]) + "." + string(rune('0'+p.Epoch))
}

func newLists(t *testing.T) *lists {
	t.Helper()
	deck, err := statuslist.NewDeck(1<<10, rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return &lists{deck: deck}
}

// withStatus configures lists.
func withStatus(l *lists) func(*lanyard.Config) {
	return func(c *lanyard.Config) { c.StatusLists = l }
}

// status returns the claim of an access token, as a verifier of ours yields it.
func (w *world) status(access string) (statuslist.Reference, bool) {
	w.t.Helper()
	_, claims, err := w.CheckAccess(w.t.Context(), access)
	if err != nil {
		w.t.Fatal(err)
	}
	if _, ok := claims.Extra["status"]; !ok {
		return statuslist.Reference{}, false
	}
	ref, err := statuslist.ParseReference(claims.Extra["status"])
	if err != nil {
		w.t.Fatal(err)
	}
	return ref, true
}

// All access tokens of a session name its one place, whichever way they were
// made, and no other session has it.
func TestEachSessionHasOnePlaceWhichAllItsTokensName(t *testing.T) {
	own := map[string]any{"tenant": "t1", "status": "the application's own"}
	before := maps.Clone(own)
	l := newLists(t)
	w := newWorld(t, withStatus(l), func(c *lanyard.Config) {
		c.Subject = func(context.Context, string) (lanyard.SubjectState, error) {
			return lanyard.SubjectState{Claims: own}, nil
		}
	})
	taken := map[statuslist.Reference]bool{}
	for _, channel := range []lanyard.Channel{lanyard.ChannelToken, lanyard.ChannelCookie} {
		g := w.start(lanyard.Login{Channel: channel})
		var tokens []*lanyard.Grant
		must := func(next *lanyard.Grant, err error) *lanyard.Grant {
			t.Helper()
			if err != nil {
				t.Fatal(err)
			}
			tokens = append(tokens, next)
			return next
		}
		if channel == lanyard.ChannelToken {
			tokens = append(tokens, g, w.mustRenew(g.Refresh.Reveal()))
		}
		must(w.AccessToken(t.Context(), g.Session, "orders"))
		must(w.InternalToken(t.Context(), g.Session, "inside"))
		rec := w.record(g.Session.SID())
		want := statuslist.Reference{URI: uriOf(lanyard.StatusPlace{StatusIndex: rec.Status}), Index: int(rec.Status.Index)}
		for i, g := range tokens {
			if got, ok := w.status(g.Access.Reveal()); !ok || got != want {
				t.Errorf("%v, token %d: at %v, %v, want %v", channel, i, got, ok, want)
			}
			if _, claims, err := w.CheckAccess(t.Context(), g.Access.Reveal()); err != nil || claims.Extra["tenant"] != "t1" {
				t.Errorf("the application's claims are %v, %v", claims.Extra, err)
			}
		}
		if taken[want] {
			t.Errorf("%v is another session's", want)
		}
		taken[want] = true
		// A session handed off from it is another one.
		code, _, err := w.Handoff(t.Context(), g.Session, lanyard.Handoff{Channel: lanyard.ChannelToken, Keep: true})
		if err != nil {
			t.Fatal(err)
		}
		phone := must(w.Redeem(t.Context(), code.Reveal(), lanyard.Redemption{}))
		if got, ok := w.status(phone.Access.Reveal()); !ok || taken[got] {
			t.Errorf("after a hand-off the session is at %v, %v", got, ok)
		}
	}
	if !maps.Equal(own, before) {
		t.Errorf("the application's map has become %v", own)
	}
	// Browsers that are not signed in have no tokens, and programs no session.
	drawn := l.drawn
	if _, _, err := w.seeBrowser(""); err != nil {
		t.Fatal(err)
	}
	program, err := w.ProgramToken(t.Context(), "orders", nil, "")
	if err != nil {
		t.Fatal(err)
	}
	if ref, ok := w.status(program.Access.Reveal()); ok || l.drawn != drawn {
		t.Errorf("a program's token is at %v; %d places were drawn", ref, l.drawn-drawn)
	}
}

func TestWithoutListsATokenNamesNoPlace(t *testing.T) {
	w := newWorld(t)
	g := w.startToken()
	if ref, ok := w.status(g.Access.Reveal()); ok || w.record(g.Session.SID()).Status != (lanyard.StatusIndex{}) {
		t.Errorf("at %v", ref)
	}
	// Lists that come later leave it so; lists that go leave a session without.
	with := newWorldOn(t, w.store.Store, w.clock, withStatus(newLists(t)))
	next := with.mustRenew(g.Refresh.Reveal())
	if ref, ok := with.status(next.Access.Reveal()); ok {
		t.Errorf("an old session is at %v", ref)
	}
	listed := with.startToken()
	if _, ok := with.status(listed.Access.Reveal()); !ok {
		t.Error("a new session has no place")
	}
	if ref, ok := w.status(w.mustRenew(listed.Refresh.Reveal()).Access.Reveal()); ok {
		t.Errorf("without lists the token is at %v", ref)
	}
}

// A service with a verifier of ours takes a token with the claim.
func TestOurVerifiersTakeTokensThatNameAPlace(t *testing.T) {
	w := newWorld(t, withStatus(newLists(t)))
	g, err := w.AccessToken(t.Context(), w.startCookie().Session, "orders")
	if err != nil {
		t.Fatal(err)
	}
	v, err := verifier.New(verifier.Config{Issuer: site, Audience: "orders", Keys: w.TokenKeys(), SkipRevocationCheck: true, Now: w.clock.Now})
	if err != nil {
		t.Fatal(err)
	}
	if claims, err := v.Verify(t.Context(), g.Access.Reveal()); err != nil || claims.Subject != "ann" || claims.Extra["status"] == nil {
		t.Errorf("%+v, %v", claims, err)
	}
}

func TestALoginWithoutAPlaceIsRefused(t *testing.T) {
	l := newLists(t)
	w := newWorld(t, withStatus(l))
	g := w.startToken()
	l.broken = true
	if _, err := w.Start(t.Context(), lanyard.Login{Subject: "bob", Methods: []string{"pwd"}}); !errors.Is(err, errNoPlace) {
		t.Errorf("got %v", err)
	}
	if page, err := w.store.Store.List(t.Context(), lanyard.Query{Subject: "bob"}); err != nil || len(page.Records) > 0 {
		t.Errorf("%d records are stored, %v", len(page.Records), err)
	}
	if _, err := w.AccessToken(t.Context(), g.Session, "orders"); !errors.Is(err, errNoPlace) {
		t.Errorf("got %v", err)
	}
}

// StatusPlaces finds whom an entry is about, whichever way it ended them.
func TestEntriesOfTheFeedAreFoundInTheLists(t *testing.T) {
	for name, c := range map[string]struct {
		end  func(t *testing.T, w *world, ann, phone *lanyard.Grant)
		want []string
	}{
		"one":                                  {func(t *testing.T, w *world, ann, phone *lanyard.Grant) { w.end(phone.Session.SID()) }, []string{"phone"}},
		"one, and what was handed off from it": {func(t *testing.T, w *world, ann, phone *lanyard.Grant) { w.end(ann.Session.SID()) }, []string{"ann", "phone"}},
		"a subject's": {func(t *testing.T, w *world, ann, phone *lanyard.Grant) {
			if _, err := w.EndAll(t.Context(), "ann", lanyard.EndOptions{Reason: lanyard.ReasonUser, By: "ann"}); err != nil {
				t.Fatal(err)
			}
			w.startToken() // a later one is not ended
		}, []string{"ann", "phone"}},
		"a subject's, but one": {func(t *testing.T, w *world, ann, phone *lanyard.Grant) {
			if _, err := w.EndAll(t.Context(), "ann", lanyard.EndOptions{Reason: lanyard.ReasonUser, By: "ann", Except: ann.Session.SID()}); err != nil {
				t.Fatal(err)
			}
		}, []string{"phone"}},
		"everything": {func(t *testing.T, w *world, ann, phone *lanyard.Grant) {
			if _, err := w.EndEverything(t.Context(), 0, lanyard.EndOptions{Reason: lanyard.ReasonRevokedAll, By: "root"}); err != nil {
				t.Fatal(err)
			}
		}, nil},
		"a key": {func(t *testing.T, w *world, ann, phone *lanyard.Grant) {
			if err := w.AnnounceKey(t.Context(), "k", lanyard.EndOptions{}); err != nil {
				t.Fatal(err)
			}
		}, nil},
	} {
		w := newWorld(t, withStatus(newLists(t)))
		ann := w.startToken()
		code, _, err := w.Handoff(t.Context(), ann.Session, lanyard.Handoff{Channel: lanyard.ChannelToken, Keep: true})
		if err != nil {
			t.Fatal(err)
		}
		phone, err := w.Redeem(t.Context(), code.Reveal(), lanyard.Redemption{})
		if err != nil {
			t.Fatal(err)
		}
		w.start(lanyard.Login{Subject: "bob"})
		places := map[lanyard.StatusPlace]string{}
		for who, g := range map[string]*lanyard.Grant{"ann": ann, "phone": phone} {
			places[lanyard.StatusPlace{StatusIndex: w.record(g.Session.SID()).Status}] = who
		}
		c.end(t, w, ann, phone)
		entries, _, err := w.store.Store.Revocations(t.Context(), "", 100)
		if err != nil || len(entries) == 0 {
			t.Fatalf("%s: %d entries, %v", name, len(entries), err)
		}
		var got []string
		for _, e := range entries {
			found, err := w.StatusPlaces(t.Context(), e)
			if err != nil {
				t.Fatal(err)
			}
			for _, p := range found {
				got = append(got, places[p])
			}
		}
		slices.Sort(got)
		if !slices.Equal(got, c.want) {
			t.Errorf("%s: found %q, want %q", name, got, c.want)
		}
	}
}

func TestAPlaceThatCannotBeLookedUpIsAnError(t *testing.T) {
	w := newWorld(t, withStatus(newLists(t)))
	g := w.startToken()
	w.end(g.Session.SID())
	if found, err := w.StatusPlaces(t.Context(), lanyard.Entry{Kind: lanyard.EntrySession, SID: lanyard.SID{1}}); err != nil || len(found) > 0 {
		t.Errorf("of a session long forgotten: %v, %v", found, err)
	}
	w.store.arm(func(string, int) error { return errEngine })
	for _, e := range []lanyard.Entry{{Kind: lanyard.EntrySession, SID: g.Session.SID()}, {Kind: lanyard.EntrySubject, Subject: "ann"}} {
		if _, err := w.StatusPlaces(t.Context(), e); lanyard.CauseOf(err) != lanyard.CauseStore {
			t.Errorf("kind %d: %v", e.Kind, err)
		}
	}
}

// An ended record is what knows the place, so it must stay until the last token
// has expired.
func TestEndedSessionsAreKeptWhileTheirTokensCount(t *testing.T) {
	for keep, ok := range map[time.Duration]bool{0: true, time.Minute: false, 6*time.Minute - 1: false, 6 * time.Minute: true} {
		_, err := lanyard.New(newWorld(t).store, lanyard.Config{Issuer: site, Keys: someKeys(t, 1), TokenKeys: signingKeys(t, time.Now), StatusLists: newLists(t), ForgetAfter: keep})
		if (err == nil) != ok || err != nil && !strings.Contains(err.Error(), "Config.ForgetAfter") {
			t.Errorf("%v: %v", keep, err)
		}
	}
}

// oldRecord is fullRecord as it was stored before there were lists and bindings.
const oldRecord = "0103020107010203000000000000000000000000090000000000000003000001000000000080000000000000000000000100000000000000020000000000000003000000000000000400040000000000" +
	"00000000000000000b0003000700070004000f0007000b000e000a000600030010616e6e6c616e79617264707764206f747061616c32416e6e27732070686f6e6520e2988e70686f6e652f313230332e" +
	"302e3131332e376f72646572732062696c6c696e67726561642077726974656c6f676f7574616e6e7b2263617274223a5b22686174225d7d050000000000000000000000000000000600000000000000" +
	"0000000000000000000000000000000000000000000000008000000007000000000000000000000000000000000000000000000000000000000000000800000000000000000000000000000000000000" +
	"00000000000000000000000009000000000000000000000000000000000000000000000a800000000000000001080e3230332e302e3131332e302f32340f3139382e35312e3130302e302f3234"

// req: STORE-10
func TestRecordsOfEarlierProgramsAreReadAndWrittenAsTheyWere(t *testing.T) {
	stored, err := hex.DecodeString(oldRecord)
	if err != nil {
		t.Fatal(err)
	}
	want := fullRecord()
	want.Status, want.Key = lanyard.StatusIndex{}, ""
	got, err := lanyard.DecodeRecord(string(stored), want.Version)
	if err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("%+v, %v", got, err)
	}
	if encode(t, want) != string(stored) {
		t.Error("a record without a place and a key is stored otherwise than before")
	}
}
