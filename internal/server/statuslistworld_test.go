package server

import (
	"context"
	"crypto/rand"
	"errors"
	"log/slog"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/lanyard-go/lanyard"
	"github.com/lanyard-go/lanyard/revocation/publish"
	"github.com/lanyard-go/lanyard/revocation/statuslist"
	"github.com/lanyard-go/lanyard/store/memory"
	"github.com/lanyard-go/lanyard/token"
)

const (
	listIssuer = "https://app.example"
	listTTL    = 30 * time.Second
)

// listWorld is a store, with all that the nodes on it share.
type listWorld struct {
	t       *testing.T
	clock   *clock
	secrets []lanyard.ServerSecret
	keys    *token.KeySet
	store   *memory.Store
}

// listStore is a node's way to the store.
type listStore struct {
	*memory.Store
	noFeed, noRecords atomic.Bool
	during            func() // runs once the feed was read, before the answer arrives
}

var errAway = errors.New("the store is away")

func (s *listStore) Get(ctx context.Context, sid lanyard.SID) (*lanyard.Record, error) {
	if s.noRecords.Load() {
		return nil, errAway
	}
	return s.Store.Get(ctx, sid)
}

func (s *listStore) List(ctx context.Context, q lanyard.Query) (lanyard.Page, error) {
	if s.noRecords.Load() {
		return lanyard.Page{}, errAway
	}
	q.Limit = 1 // so that there are several pages
	return s.Store.List(ctx, q)
}

func (s *listStore) Revocations(ctx context.Context, after string, limit int) ([]lanyard.Entry, string, error) {
	if s.noFeed.Load() {
		return nil, "", errAway
	}
	entries, next, err := s.Store.Revocations(ctx, after, limit)
	if s.during != nil {
		s.during()
	}
	return entries, next, err
}

func drawnSecret(t *testing.T, id byte) lanyard.ServerSecret {
	t.Helper()
	s := lanyard.ServerSecret{ID: id, Value: make([]byte, lanyard.SecretSize)}
	if _, err := rand.Read(s.Value); err != nil {
		t.Fatal(err)
	}
	return s
}

func newListWorld(t *testing.T) *listWorld {
	t.Helper()
	x := &listWorld{t: t, clock: &clock{}, secrets: []lanyard.ServerSecret{drawnSecret(t, 1)}, store: memory.New()}
	x.clock.ms.Store(time.Date(2026, 3, 1, 12, 0, 0, 250e6, time.UTC).UnixMilli())
	key, err := token.GenerateKey(token.ES256, x.clock.Now())
	if err != nil {
		t.Fatal(err)
	}
	if x.keys, err = token.NewKeySet(token.KeysConfig{Now: x.clock.Now}, key); err != nil {
		t.Fatal(err)
	}
	return x
}

// listNode is what a server has of lists, on a store of the test's own.
type listNode struct {
	*Server
	world *listWorld
	line  *listStore
}

func (x *listWorld) node(change ...func(*lanyard.Config)) *listNode {
	x.t.Helper()
	s := &Server{
		cfg: &resolved{Config: Config{StatusList: listTTL}, issuer: listIssuer},
		log: slog.New(slog.DiscardHandler), now: x.clock.Now, keys: x.keys,
	}
	keys, err := lanyard.NewKeys(x.secrets...)
	if err == nil {
		s.feed, err = publish.New(publish.Config{Issuer: listIssuer})
	}
	if err == nil {
		err = s.openStatusLists(x.secrets)
	}
	if err != nil {
		x.t.Fatal(err)
	}
	cfg := s.withLists(lanyard.Config{Issuer: listIssuer, Keys: keys, TokenKeys: x.keys, Now: x.clock.Now, Feed: s.feed})
	for _, c := range change {
		c(&cfg)
	}
	line := &listStore{Store: x.store}
	if s.m, err = lanyard.New(line, cfg); err != nil {
		x.t.Fatal(err)
	}
	return &listNode{s, x, line}
}

// login signs somebody in and returns the grant with what a third party reads in
// its access token.
func (n *listNode) login(subject string) (*lanyard.Grant, statuslist.Reference) {
	n.world.t.Helper()
	g, err := n.m.Start(n.world.t.Context(), lanyard.Login{Subject: subject, Methods: []string{"pwd"}, Channel: lanyard.ChannelToken})
	if err != nil {
		n.world.t.Fatal(err)
	}
	return g, n.world.reference(g.Access.Reveal())
}

// reference reads an access token as a third party does.
func (x *listWorld) reference(access string) statuslist.Reference {
	x.t.Helper()
	v, err := token.NewVerifier(token.VerifierConfig{Issuer: listIssuer, SkipAudience: true, Keys: x.keys, Now: x.clock.Now})
	if err != nil {
		x.t.Fatal(err)
	}
	claims, err := v.Verify(access)
	if err != nil {
		x.t.Fatal(err)
	}
	ref, err := statuslist.ParseReference(claims.Extra["status"])
	if err != nil {
		x.t.Fatal(err)
	}
	return ref
}

// fetch gets the list that a token names, as a third party would.
func (n *listNode) fetch(ref statuslist.Reference) (*statuslist.Token, error) {
	name, ok := strings.CutPrefix(ref.URI, listIssuer+"/status-lists/")
	id, known := n.lists.names.parse(name)
	if !ok || !known {
		return nil, errors.New("no such list")
	}
	ctx, cancel := context.WithTimeout(n.world.t.Context(), time.Minute)
	defer cancel()
	list, err := n.lists.list(ctx, id)
	if err != nil {
		return nil, err
	}
	return statuslist.Verify(list.raw, statuslist.Expected{URI: ref.URI, Issuer: listIssuer, Keys: n.world.keys, Now: n.world.clock.Now()})
}

// shows fails the test unless the list at a node has the status.
func (n *listNode) shows(what string, ref statuslist.Reference, want byte) {
	n.world.t.Helper()
	list, err := n.fetch(ref)
	if err != nil {
		n.world.t.Fatalf("%s: %v", what, err)
	}
	if got, err := list.List.Get(ref.Index); err != nil || got != want {
		n.world.t.Errorf("%s: status %d, %v, want %d", what, got, err, want)
	}
}
