package redisconn

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"net/url"
	"strconv"
	"strings"
)

// target is what a URL names.
type target struct {
	tls, cluster   bool
	sentinel       string // name of the set of servers it watches
	addresses      []string
	user, password string
	db             int
}

// parse reads a URL. Its errors say what is wrong and repeat nothing that could
// be a password.
func parse(text string) (*target, error) {
	scheme, rest, ok := strings.Cut(text, "://")
	if !ok {
		return nil, errors.New("a URL of a Redis server starts with redis://, rediss://, redis-cluster://, rediss-cluster://, redis-sentinel:// or rediss-sentinel://")
	}
	t := &target{tls: strings.HasPrefix(scheme, "rediss")}
	path := ""
	switch kind := strings.TrimPrefix(strings.Replace(scheme, "rediss", "redis", 1), "redis"); kind {
	case "":
	case "-cluster":
		t.cluster = true
	case "-sentinel":
		t.sentinel = "?"
	default:
		return nil, fmt.Errorf("the scheme %q is none of redis, rediss, redis-cluster, rediss-cluster, redis-sentinel and rediss-sentinel", scheme)
	}
	if strings.ContainsAny(rest, "?#") {
		return nil, errors.New("a URL of a Redis server has no query and no fragment; a ? or # in a password is written %3F or %23")
	}
	if at := strings.LastIndexByte(rest, '@'); at >= 0 {
		user, password, _ := strings.Cut(rest[:at], ":")
		var err1, err2 error
		t.user, err1 = url.PathUnescape(user)
		t.password, err2 = url.PathUnescape(password)
		if err1 != nil || err2 != nil {
			return nil, errors.New("user name or password have a % without two hexadecimal digits")
		}
		rest = rest[at+1:]
	}
	rest, path, _ = strings.Cut(rest, "/")
	if err := t.setAddresses(rest); err != nil {
		return nil, err
	}
	return t, t.setPath(path)
}

func (t *target) setAddresses(list string) error {
	for host := range strings.SplitSeq(list, ",") {
		port := "6379"
		if t.sentinel != "" {
			port = "26379"
		}
		if h, p, err := net.SplitHostPort(host); err == nil {
			host, port = h, p
		}
		host = strings.Trim(host, "[]")
		if n, err := strconv.Atoi(port); err != nil || n < 1 || n > 65535 {
			return errors.New("a port is a number from 1 to 65535")
		}
		if host == "" || strings.ContainsAny(host, " /@") {
			return errors.New("a host name is missing or misspelt")
		}
		t.addresses = append(t.addresses, net.JoinHostPort(host, port))
	}
	if len(t.addresses) > 1 && !t.cluster && t.sentinel == "" {
		return errors.New("several hosts need redis-cluster:// or redis-sentinel://")
	}
	return nil
}

// setPath reads the number of the database, behind the name for Sentinel.
func (t *target) setPath(path string) error {
	if t.sentinel != "" {
		if t.sentinel, path, _ = strings.Cut(path, "/"); t.sentinel == "" {
			return errors.New("redis-sentinel:// needs the name of the primary as its path")
		}
	}
	if path == "" {
		return nil
	}
	n, err := strconv.Atoi(path)
	switch {
	case err != nil || n < 0:
		return errors.New("the last part of the path is the number of the database")
	case t.cluster && n != 0:
		return errors.New("a Cluster has database 0 only")
	}
	t.db = n
	return nil
}

// loopback reports whether nothing that is sent leaves this machine.
func (t *target) loopback() bool {
	for _, address := range t.addresses {
		host, _, _ := net.SplitHostPort(address)
		ip, err := netip.ParseAddr(host)
		if host != "localhost" && (err != nil || !ip.IsLoopback()) {
			return false
		}
	}
	return true
}
