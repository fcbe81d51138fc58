package server

import (
	"net/http"
	"strings"

	"github.com/lanyard-go/lanyard"
	"github.com/lanyard-go/lanyard/internal/cookie"
	"github.com/lanyard-go/lanyard/internal/web"
)

// flooded answers pages of a browser that sends more cookies than are read, whether a
// neighbouring host made it or years of leftovers. It could sign in as often as
// it liked and would stay nobody, so it gets a page that says so, with a button
// that removes the cookies: POST /logout, which here cannot know whose they are.
func (s *Server) flooded(w http.ResponseWriter, r *http.Request) bool {
	// Addresses for programs answer for themselves where they look for a cookie.
	if apiPath(r.URL.Path) || strings.HasPrefix(r.URL.Path, web.AssetPath) || isLocal(r.Context()) || len(r.Header["Authorization"]) > 0 {
		return false
	}
	if _, status := cookie.Read(r.Header, s.m.CookieName(), cookie.Limits{}); status != cookie.TooMany {
		return false
	}
	s.metrics.Count("cookie", cookie.TooMany.String())
	if r.Method != http.MethodPost || r.URL.Path != "/logout" {
		s.fail(w, r, &lanyard.Refused{Cause: lanyard.CauseFlooded})
		return true
	}
	if err := s.m.ForgetCookies(w, r); err != nil {
		s.fail(w, r, err)
		return true
	}
	s.see(w, r, "/signed-out")
	return true
}

// refusal is what a person reads of a refusal, whose exact words are for
// developers: what happened to their work, and what to do.
func refusal(e *lanyard.Refused) (title, message string) {
	switch e.Cause {
	case lanyard.CauseForgery:
		return "Nothing was changed", "The request did not start on one of our own pages, so it was not carried out. If you meant to do this, open the page here and do it again."
	case lanyard.CauseCSRFToken:
		return "Nothing was changed", "The page was open for too long, or somebody signed in or out meanwhile. Open it again and repeat what you did."
	case lanyard.CauseFlooded:
		return "Too many cookies", "Your browser keeps more cookies for this site and its neighbours than we read, so we cannot tell whether you are signed in. " +
			"Remove them and sign in again. This also signs you out of the neighbouring sites, those whose addresses end like ours."
	}
	status, _, message := e.Public()
	return titleOf(status), message
}
