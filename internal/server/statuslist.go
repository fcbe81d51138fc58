package server

import (
	"context"
	"crypto/rand"
	"fmt"
	"net/http"
	"time"

	"github.com/lanyard-go/lanyard"
	"github.com/lanyard-go/lanyard/revocation/statuslist"
)

const statusListPath = "/status-lists/"

// checkStatusList checks the setting. A list that tokens do not outlive would say
// nothing, and readers fetch lists from https alone.
func (r *resolved) checkStatusList() error {
	if r.StatusList == 0 {
		return nil
	}
	p, err := r.policy.Resolve()
	switch {
	case err != nil:
		return err
	case r.StatusList < time.Second || r.StatusList%time.Second != 0:
		return wrong("status-list", "%v is not whole seconds; such as 30s", r.StatusList)
	case listDelay(r.StatusList) >= p.AccessTokenTTL:
		return wrong("status-list", "an end would show after %v in lists, when the last access token has expired anyway (access-token-ttl is %v)", listDelay(r.StatusList), p.AccessTokenTTL)
	case r.issuerURL.Scheme != "https":
		return wrong("status-list", "readers fetch lists from https alone, and the issuer is %s", r.issuer)
	}
	return nil
}

// openStatusLists makes the lists if they are asked for.
func (s *Server) openStatusLists(secrets []lanyard.ServerSecret) error {
	if s.cfg.StatusList == 0 {
		return nil
	}
	names, err := newListNames(secrets)
	if err != nil {
		return err
	}
	deck, err := statuslist.NewDeck(listSize, rand.Reader)
	if err != nil {
		return err
	}
	s.lists = &statusLists{
		issuer: s.cfg.issuer, base: s.cfg.issuer + statusListPath, ttl: s.cfg.StatusList, now: s.now, keys: s.keys, names: names, deck: deck,
		places: func(ctx context.Context, e lanyard.Entry) ([]lanyard.StatusPlace, error) {
			return s.m.StatusPlaces(ctx, e)
		},
		wake: make(chan struct{}, 1), turn: make(chan struct{}, 1),
		ended: make(map[listID]map[uint32]time.Time), signed: make(map[listID]signedList),
	}
	s.log.Info("status lists are published for third parties; sessions that end show there late", "delay", listDelay(s.cfg.StatusList).String())
	return nil
}

// withLists adds the lists, if there are any, to what the manager is made of.
func (s *Server) withLists(cfg lanyard.Config) lanyard.Config {
	if s.lists != nil {
		cfg.StatusLists, cfg.Feed = s.lists, &listedFeed{s.feed, s.lists}
	}
	return cfg
}

// listTimeout is how long a request waits until what it asks for is known.
const listTimeout = 5 * time.Second

// statusList serves GET /status-lists/{list} to everybody.
func (s *Server) statusList(w http.ResponseWriter, r *http.Request) {
	var id listID
	ok := false
	if s.lists != nil {
		id, ok = s.lists.names.parse(r.PathValue("list"))
	}
	switch {
	case s.lists == nil:
		s.problem(w, r, http.StatusNotFound, "not_found", "There is nothing at this address.")
		return
	case !ok:
		s.problem(w, r, http.StatusNotFound, "not_found", "There is no such status list.")
		return
	case r.URL.Query().Has("time"):
		// The draft asks for this answer where no earlier lists are kept.
		s.problem(w, r, http.StatusNotImplemented, "invalid_request", "A status list is served as it is now, and of no other time.")
		return
	}
	ctx, cancel := context.WithTimeout(r.Context(), listTimeout)
	defer cancel()
	list, err := s.lists.list(ctx, id)
	if err != nil {
		s.metrics.Count("status_list", "unknown")
		s.fail(w, r, err)
		return
	}
	s.metrics.Count("status_list", "served")
	h := w.Header()
	h.Set("Content-Type", statuslist.MediaType)
	age := min(s.lists.ttl, max(list.expires.Sub(s.now()), 0))
	h.Set("Cache-Control", fmt.Sprintf("public, max-age=%d", int(age/time.Second)))
	w.Write([]byte(list.raw))
}
