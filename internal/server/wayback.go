package server

import (
	"net/http"
	"net/url"
	"strings"

	"github.com/lanyard-go/lanyard"
)

// localPath keeps an address only if it is a path on this server, as every
// browser and proxy reads it: no other host, no scheme, no trick with slashes,
// backslashes, dots or control characters, written out or percent-encoded.
// Everything else is "".
func localPath(text string) string {
	if len(text) > 2000 || !strings.HasPrefix(text, "/") || strings.HasPrefix(text, "//") {
		return ""
	}
	for i := range len(text) {
		if c := text[i]; c < 0x21 || c == '\\' || c >= 0x7f {
			return ""
		}
	}
	u, err := url.ParseRequestURI(text)
	if err != nil || u.Host != "" || !cleanPath(u.Path) || strings.ContainsFunc(u.Path, func(c rune) bool { return c < 0x20 || c == '\\' || c == 0x7f }) {
		return ""
	}
	return text
}

// returnPath is where a person goes on after signing in: a path on this server,
// but none of those that lead to signing in or out again.
func returnPath(text, fallback string) string {
	u, err := url.ParseRequestURI(localPath(text))
	if err != nil {
		return fallback
	}
	switch u.Path {
	case "/login", "/logout", "/signed-out":
		return fallback
	}
	return text
}

// loginPath is the login page that leads back.
func loginPath(back string) string {
	if back = returnPath(back, ""); back == "" {
		return "/login"
	}
	return "/login?return_to=" + url.QueryEscape(back)
}

// action is a form of the account or of the console.
type action struct {
	prefix, suffix string // of its address, with a parameter between them if param is set
	param          string
	page           string // that has the form; one that ends in / goes on with the parameter
	word           string // key into notices and undone

	// handle carries the form out after the password was asked for again; nil
	// where it is never asked for.
	handle http.HandlerFunc
}

func (s *Server) actions() []action {
	return []action{
		{"/account/sessions/end-others", "", "", "/account", "others", s.accountEndOthers},
		{"/account/sessions/", "/end", "sid", "/account", "ended", s.accountEnd},
		{"/account/password", "", "", "/account", "password", nil},
		{"/console/sessions/", "/end", "sid", "/console/sessions/", "ended", s.guardPage(s.consoleEnd)},
		{"/console/users", "", "", "/console/users", "added", s.guardPage(s.consoleAddUser)},
		{"/console/users/", "/disable", "name", "/console/users", "disabled", s.guardPage(s.consoleDisable)},
		{"/console/users/", "/enable", "name", "/console/users", "enabled", s.guardPage(s.consoleEnable)},
		{"/console/users/", "/reset", "name", "/console/users", "reset", s.guardPage(s.consoleReset)},
		{"/console/keys/rotate", "", "", "/console/keys", "rotated", s.guardPage(s.consoleRotate)},
		{"/console/keys/", "/withdraw", "kid", "/console/keys", "withdrawn", s.guardPage(s.consoleWithdraw)},
	}
}

// actionAt finds the action of an address and the value of its parameter. What is
// no action has the account for its page, and nothing else.
func (s *Server) actionAt(path string) (a action, value string) {
	for _, a := range s.actions() {
		if a.param == "" {
			if path == a.prefix {
				return a, ""
			}
			continue
		}
		value, ok := strings.CutPrefix(path, a.prefix)
		value, ok2 := strings.CutSuffix(value, a.suffix)
		if ok && ok2 && value != "" && !strings.Contains(value, "/") {
			if strings.HasSuffix(a.page, "/") {
				a.page += url.PathEscape(value)
			}
			return a, value
		}
	}
	return action{page: "/account"}, ""
}

// undone says what did not happen because the session was over when the form
// came: a word from this list, never text from the address.
var undone = map[string]string{
	"ended":     "the session was not ended",
	"others":    "the other sessions were not ended",
	"password":  "the password was not changed",
	"added":     "the user was not added",
	"disabled":  "the user was not disabled",
	"enabled":   "the user was not enabled",
	"reset":     "no reset link was made",
	"rotated":   "the key was not rotated",
	"withdrawn": "the key was not withdrawn",
}

// signedInPage reports whether somebody is signed in by a cookie. The others it
// sends to the login page and from there back to where they were; somebody whose
// form came too late is told that nothing was done.
func (s *Server) signedInPage(w http.ResponseWriter, r *http.Request) bool {
	v := lanyard.From(r.Context())
	if v.SignedIn() && v.Via() == lanyard.ChannelCookie {
		return true
	}
	if r.Method == http.MethodGet {
		s.see(w, r, loginPath(r.URL.RequestURI()))
		return false
	}
	if from := r.Header.Get("Sec-Fetch-Site"); from != "" && !sameOriginPage(r) {
		s.see(w, r, "/login") // a form of another site, whose session never came along
		return false
	}
	path := r.URL.Path
	if form, err := readForm(w, r); err == nil && path == "/account/confirm" {
		path = form[pendingPath]
	}
	a, _ := s.actionAt(path)
	to := loginPath(a.page)
	if a.word != "" {
		to += "&undone=" + a.word
	}
	s.see(w, r, to)
	return false
}
