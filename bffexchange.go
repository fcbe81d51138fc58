package lanyard

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptrace"
	"net/http/httputil"
	"slices"
	"strings"
	"time"
)

// exchange is one request on its way through a [BFF].
type exchange struct {
	bff     *BFF
	in      *http.Request
	session *Session
	route   *bffRoute
	rest    string // of the path, behind the route's
	token   *drawnToken
}

// problem is a refusal that says nothing about who asked.
type problem struct {
	status        int
	code, message string
}

// Error names the refusal.
func (p *problem) Error() string { return "lanyard: bff: " + p.code }

var (
	errOddPath    = &problem{http.StatusBadRequest, "invalid_path", "The path is written in a way that servers read differently."}
	errNoRoute    = &problem{http.StatusNotFound, "not_found", "There is nothing here."}
	errMethod     = &problem{http.StatusMethodNotAllowed, "method_not_allowed", "This cannot be done here."}
	errUpgrade    = &problem{http.StatusNotImplemented, "no_upgrade", "The protocol cannot be changed here."}
	errNoPage     = &problem{http.StatusForbidden, "not_a_page", "This answers scripts of the application, and cannot be opened as a page."}
	errTooLong    = &problem{http.StatusRequestEntityTooLarge, "too_large", "The body of the request is too long."}
	errBadGateway = &problem{http.StatusBadGateway, "bad_gateway", "The service behind this cannot answer right now."}
	errTooSlow    = &problem{http.StatusGatewayTimeout, "gateway_timeout", "The service behind this took too long."}
)

// judge finds the route, and checks what need not be known of the session. It may
// set fields of the answer in h.
func (x *exchange) judge(h http.Header) error {
	r := x.in
	if err := ownScript(r.Header); err != nil {
		return &Refused{Cause: CauseForgery, SID: x.session.SID(), Err: err}
	}
	if !plainPath(r.URL) {
		return errOddPath
	}
	for i := range x.bff.routes {
		rest, ok := x.bff.routes[i].match(r.URL.Path)
		if ok {
			x.route, x.rest = &x.bff.routes[i], rest
			break
		}
	}
	switch {
	case x.route == nil:
		return errNoRoute
	case !slices.Contains(x.route.methods, r.Method):
		h.Set("Allow", strings.Join(x.route.methods, ", "))
		return errMethod
	case len(r.Header["Upgrade"]) > 0:
		return errUpgrade
	case !asData(r.Header):
		return errNoPage
	case r.ContentLength > x.bff.maxBody:
		return errTooLong
	}
	return nil
}

// ServeHTTP passes the request on, for a session that may.
func (x *exchange) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	b := x.bff
	var err error
	if x.token, err = b.tokens.get(r.Context(), x.session, x.route.audience); err != nil {
		x.session.Reject()
		x.fail(w, r, err)
		return
	}
	ctx, stop := context.WithCancel(r.Context())
	defer stop()
	defer time.AfterFunc(watchAfter, func() { x.watch(ctx, stop) }).Stop()
	r = r.WithContext(ctx)
	r.Body = http.MaxBytesReader(w, r.Body, b.maxBody)
	proxy := httputil.ReverseProxy{
		Rewrite: x.rewrite, Transport: b.next, ModifyResponse: x.modify, ErrorLog: b.log,
		ErrorHandler: func(w http.ResponseWriter, _ *http.Request, err error) { x.fail(w, x.in, err) },
	}
	proxy.ServeHTTP(w, r)
}

// watchAfter is how long an exchange may take before it is watched, so that a
// stream does not go on for longer than its session. Most are over by then.
const watchAfter = time.Second

// watch ends the exchange with its session.
func (x *exchange) watch(ctx context.Context, stop context.CancelFunc) {
	watched, cancel := x.bff.m.Watch(ctx)
	context.AfterFunc(watched, func() { cancel(); stop() })
}

// rewrite makes the request to the service: nothing of what came but what is
// listed.
func (x *exchange) rewrite(p *httputil.ProxyRequest) {
	p.Out.URL = x.route.target(x.rest, p.Out.URL.RawQuery)
	p.Out.Host = ""
	p.Out.Header = only(x.bff.pass.request, p.In.Header)
	p.Out.Header.Set("Authorization", "Bearer "+x.token.text.Reveal())
	p.Out.Trailer = nil
}

// modify makes the answer to the browser.
func (x *exchange) modify(res *http.Response) error {
	asked := res.Request.URL
	if res.StatusCode == http.StatusUnauthorized {
		return x.unauthorized(res)
	}
	if res.StatusCode == http.StatusProxyAuthRequired {
		return errors.New("the service asks for a proxy's credentials")
	}
	res.Header = only(x.bff.pass.response, res.Header)
	if location := res.Header.Get("Location"); location != "" {
		own, ok := x.route.back(location, asked)
		switch {
		case ok:
			res.Header.Set("Location", own)
		case res.StatusCode/100 == 3:
			return errors.New("the service leads away from its route")
		default:
			res.Header.Del("Location")
		}
	}
	x.bff.m.count("bff", "passed")
	return nil
}

// unauthorized answers for a service that refuses the token. The browser has shown
// none, so what the page hears of is the session: that it is over, or that the
// person must sign in again; else it is a fault between the two servers.
func (x *exchange) unauthorized(res *http.Response) error {
	m, s := x.bff.m, x.session
	if c, ok := parseChallenge(res.Header.Values("Www-Authenticate")); ok && c.err == "insufficient_user_authentication" {
		if len(c.classes) > 0 {
			return &Refused{Cause: CauseWeak, SID: s.SID(), Classes: c.classes}
		}
		return &Refused{Cause: CauseStale, SID: s.SID(), MaxAge: c.maxAge}
	}
	x.bff.tokens.drop(keyOf(s, x.route.audience), x.token)
	rec, err := m.store.Get(x.in.Context(), s.SID())
	switch {
	case err != nil:
		return m.changeError("reading a session", s.SID(), err)
	case rec.Generation != s.rec.Generation:
		return refuse(CauseOldGeneration, s.SID())
	}
	if err := usable(rec, m.now()); err != nil {
		return err
	}
	return errors.New("the service refuses a token of a live session; are its audience and issuer right?")
}

// fail answers in the service's place.
func (x *exchange) fail(w http.ResponseWriter, r *http.Request, err error) {
	m := x.bff.m
	if errors.Is(err, context.Canceled) && r.Context().Err() == nil {
		err = refuse(CauseEnded, x.session.SID()) // the watch has stopped it
	}
	if _, ok := errors.AsType[*Refused](err); ok {
		m.refused(r, x.session, err)
		m.WriteError(w, r, err)
		return
	}
	p, ok := errors.AsType[*problem](err)
	slow, isNet := errors.AsType[net.Error](err)
	_, tooLong := errors.AsType[*http.MaxBytesError](err)
	switch {
	case ok:
	case tooLong:
		p = errTooLong
	case r.Context().Err() != nil:
		m.count("bff", "client_gone")
		return
	default:
		if p = errBadGateway; isNet && slow.Timeout() {
			p = errTooSlow
		}
		m.log.LogAttrs(r.Context(), slog.LevelError, "a service behind the backend for frontend did not answer", slog.String("service", x.route.upstream.Host),
			slog.Any("error", err), slog.String("request_id", RequestID(r.Context())))
	}
	m.count("bff", p.code)
	writeProblem(w, r, p.status, p.code, p.message)
}

// finalAnswers passes on final answers alone. Interim ones, such as early hints,
// and trailers would get past the list of header fields; and nobody asked for
// another protocol.
type finalAnswers struct{ next http.RoundTripper }

// RoundTrip implements [http.RoundTripper].
func (f finalAnswers) RoundTrip(r *http.Request) (*http.Response, error) {
	res, err := f.next.RoundTrip(r.WithContext(untraced{r.Context()}))
	if err != nil {
		return nil, err
	}
	if res.StatusCode < 200 {
		res.Body.Close()
		return nil, fmt.Errorf("the service answers %d", res.StatusCode)
	}
	final := *res // the transport writes trailers into its own
	final.Trailer = nil
	final.Request = r
	return &final, nil
}

// untraced is a context without the hooks by which a reverse proxy hears of
// interim answers.
type untraced struct{ context.Context }

// Value hides the hooks.
func (c untraced) Value(key any) any {
	v := c.Context.Value(key)
	if _, ok := v.(*httptrace.ClientTrace); ok {
		return nil
	}
	return v
}
