package lanyard

import (
	"context"
	"net"
	"net/http"
	"net/netip"
	"strings"
)

// Transport is how a request arrived, seen through the proxies that are
// configured and through no others.
type Transport struct {
	Client netip.Addr // the rightmost hop that is not a trusted proxy
	Host   string     // the host the client asked for, with its port
	Scheme string     // "https" or "http"
	Secure bool       // TLS all the way we can see, or never left this machine
}

// TransportOf looks at a request. Forwarding headers count only when the
// request came from one of the trusted proxies; then the rightmost address that
// is not itself a trusted proxy is the client. A header that cannot be read
// leaves the proxy's own address as the client.
func TransportOf(r *http.Request, trusted []netip.Prefix) Transport {
	peer := remoteAddr(r)
	t := Transport{Client: peer, Host: r.Host, Scheme: "http"}
	if r.TLS != nil {
		t.Scheme = "https"
	}
	loopback := peer.IsLoopback()
	if FromProxy(r, trusted) {
		t.Client = forwardedFor(r.Header["X-Forwarded-For"], trusted, peer)
		if proto := single(r.Header["X-Forwarded-Proto"]); proto == "https" || proto == "http" {
			t.Scheme = proto
		}
		if host := single(r.Header["X-Forwarded-Host"]); host != "" && !strings.ContainsAny(host, " \t\"\\<>/@") {
			t.Host = host
		}
		loopback = t.Client.IsLoopback()
	}
	// Loopback counts as secure: nobody else sees those bytes, and browsers keep
	// and return Secure cookies there.
	t.Secure = t.Scheme == "https" || loopback
	return t
}

// FromProxy reports whether the request was handed on by one of the trusted
// proxies, so that its forwarding headers may be believed.
func FromProxy(r *http.Request, trusted []netip.Prefix) bool {
	return len(trusted) > 0 && contained(trusted, remoteAddr(r))
}

func remoteAddr(r *http.Request) netip.Addr {
	if ap, err := netip.ParseAddrPort(r.RemoteAddr); err == nil {
		return ap.Addr().Unmap()
	}
	host, _, err := net.SplitHostPort(r.RemoteAddr)
	if err != nil {
		return netip.Addr{}
	}
	addr, _ := netip.ParseAddr(host)
	return addr.Unmap()
}

func contained(prefixes []netip.Prefix, addr netip.Addr) bool {
	for _, p := range prefixes {
		if p.Contains(addr) {
			return true
		}
	}
	return false
}

// forwardedFor walks the list from the right, the end our own proxies wrote.
func forwardedFor(fields []string, trusted []netip.Prefix, peer netip.Addr) netip.Addr {
	client := peer
	for i := len(fields) - 1; i >= 0; i-- {
		rest := fields[i]
		for rest != "" {
			var hop string
			if j := strings.LastIndexByte(rest, ','); j >= 0 {
				rest, hop = rest[:j], rest[j+1:]
			} else {
				rest, hop = "", rest
			}
			addr, ok := parseHop(strings.TrimSpace(hop))
			if !ok {
				return client
			}
			client = addr
			if !contained(trusted, addr) {
				return client
			}
		}
	}
	return client
}

func parseHop(hop string) (netip.Addr, bool) {
	if addr, err := netip.ParseAddr(hop); err == nil {
		return addr.Unmap(), true
	}
	if ap, err := netip.ParseAddrPort(hop); err == nil {
		return ap.Addr().Unmap(), true
	}
	return netip.Addr{}, false
}

// single returns the value of a header that may occur once only.
func single(values []string) string {
	if len(values) != 1 || strings.Contains(values[0], ",") {
		return ""
	}
	return strings.TrimSpace(values[0])
}

// AddressRange returns the network of an address as records and events keep it
// with Config.ShortenAddresses: /24 for IPv4, /48 for IPv6. Text that is not an
// address gives the empty string.
func AddressRange(ip string) string {
	addr, err := netip.ParseAddr(ip)
	if err != nil {
		return ""
	}
	bits := 48
	if addr.Is4() {
		bits = 24
	}
	p, err := addr.Prefix(bits)
	if err != nil {
		return ""
	}
	return p.String()
}

type requestIDKey struct{}

// WithRequestID names the request in ctx. Events and error answers carry the
// name, so that one request's traces can be found together.
func WithRequestID(ctx context.Context, id string) context.Context {
	return context.WithValue(ctx, requestIDKey{}, id)
}

// RequestID returns the name given by [WithRequestID], or the empty string.
func RequestID(ctx context.Context) string {
	id, _ := ctx.Value(requestIDKey{}).(string)
	return id
}
