package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"

	"github.com/spf13/cobra"

	"github.com/lanyard-go/lanyard/api"
	"github.com/lanyard-go/lanyard/internal/server"
)

// caller carries out administrative calls: on the server that runs on a data
// directory through its socket, on the opened data directory itself when none
// runs, or on a server elsewhere with a client's credentials. All three answer
// the same requests.
type caller struct {
	base   string
	do     func(*http.Request) (*http.Response, error)
	close  func() error
	remote bool
}

// adminFlags are the flags of every command that administers.
func adminFlags(cmd *cobra.Command) {
	addFlags(cmd, "data", "store", "directory", "issuer", "listen")
	cmd.Flags().Lookup("listen").Hidden = true
	cmd.Flags().String("server", "", "address of a server elsewhere (LANYARD_SERVER); credentials come from LANYARD_CLIENT_ID and LANYARD_CLIENT_SECRET or --credentials")
	cmd.Flags().String("credentials", "", `file with {"client_id","client_secret"}, readable by you alone (LANYARD_CREDENTIALS)`)
	cmd.Flags().Bool("json", false, "print JSON")
}

func given(cmd *cobra.Command, flag, env string) string {
	if f := cmd.Flags().Lookup(flag); f != nil && f.Changed {
		return f.Value.String()
	}
	return os.Getenv(env)
}

// beforeStart are the commands that make a data directory which is not there.
var beforeStart = []string{"lanyard users add", "lanyard users import", "lanyard clients add"}

// connect finds out whom to ask.
func connect(cmd *cobra.Command) (*caller, error) {
	if base := given(cmd, "server", "LANYARD_SERVER"); base != "" {
		return connectServer(cmd, base)
	}
	cfg, _, err := load(cmd)
	if err != nil {
		return nil, err
	}
	if c, err := connectSocket(cfg.Data); err != nil || c != nil {
		return c, err
	}
	// Only users and clients may be added before the first start; everything else
	// would make an empty place and report success on it.
	if _, err := os.Stat(cfg.Data); errors.Is(err, os.ErrNotExist) && !slices.Contains(beforeStart, cmd.CommandPath()) {
		return nil, server.NoData(cfg.Data)
	}
	s, err := server.Open(cmd.Context(), cfg, server.Options{Drivers: drivers, Logs: quiet{cmd.ErrOrStderr()}})
	if err != nil {
		return nil, err
	}
	return &caller{
		base: "http://localhost",
		do: func(r *http.Request) (*http.Response, error) {
			r.RemoteAddr = "127.0.0.1:0"
			w := &answer{header: http.Header{}, status: http.StatusOK}
			s.LocalHandler().ServeHTTP(w, r)
			return &http.Response{StatusCode: w.status, Status: http.StatusText(w.status), Header: w.header, Body: io.NopCloser(&w.body)}, nil
		},
		close: s.Close,
	}, nil
}

// answer takes what a handler answers when no connection is in between.
type answer struct {
	header http.Header
	status int
	body   bytes.Buffer
}

func (a *answer) Header() http.Header         { return a.header }
func (a *answer) Write(b []byte) (int, error) { return a.body.Write(b) }
func (a *answer) WriteHeader(status int)      { a.status = status }

// quiet keeps the log of an opened data directory to what went wrong.
type quiet struct{ w io.Writer }

// Write passes warnings and errors on.
func (q quiet) Write(b []byte) (int, error) {
	if bytes.Contains(b, []byte("level=INFO")) || bytes.Contains(b, []byte("level=DEBUG")) {
		return len(b), nil
	}
	return q.w.Write(b)
}

// connectSocket returns nil without an error when no server runs.
func connectSocket(data string) (*caller, error) {
	if _, err := os.Stat(filepath.Join(data, server.SocketName)); err != nil {
		return nil, nil
	}
	dial := func(ctx context.Context, _, _ string) (net.Conn, error) {
		short, done, err := server.ShortPath(data)
		if err != nil {
			return nil, err
		}
		defer done()
		var d net.Dialer
		return d.DialContext(ctx, "unix", filepath.Join(short, server.SocketName))
	}
	probe, err := dial(context.Background(), "", "")
	switch {
	case errors.Is(err, syscall.ECONNREFUSED), errors.Is(err, os.ErrNotExist):
		return nil, nil // left behind by a server that was killed
	case err != nil:
		return nil, fmt.Errorf("talking to the server on %s: %w; run this as the owner of the data directory", data, err)
	}
	probe.Close()
	client := &http.Client{Transport: &http.Transport{DialContext: dial}}
	return &caller{base: "http://localhost", do: client.Do, close: func() error { return nil }}, nil
}

func connectServer(cmd *cobra.Command, base string) (*caller, error) {
	u, err := url.Parse(base)
	if err != nil || u.Host == "" || u.Scheme != "https" && !(u.Scheme == "http" && isLoopback(u.Hostname())) {
		return nil, usage("setting server: %q must be https, or http on a loopback name", base)
	}
	id, secret := os.Getenv("LANYARD_CLIENT_ID"), os.Getenv("LANYARD_CLIENT_SECRET")
	if path := given(cmd, "credentials", "LANYARD_CREDENTIALS"); path != "" {
		if id, secret, err = readCredentials(path); err != nil {
			return nil, err
		}
	}
	if id == "" || secret == "" {
		return nil, usage("setting server: a client's credentials are needed, in LANYARD_CLIENT_ID and LANYARD_CLIENT_SECRET or a file named by --credentials")
	}
	client := &http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	return &caller{
		base: strings.TrimSuffix(base, "/"), remote: true, close: func() error { return nil },
		do: func(r *http.Request) (*http.Response, error) {
			r.SetBasicAuth(url.QueryEscape(id), url.QueryEscape(secret))
			return client.Do(r)
		},
	}, nil
}

func isLoopback(host string) bool {
	ip := net.ParseIP(host)
	return host == "localhost" || ip != nil && ip.IsLoopback()
}

func readCredentials(path string) (id, secret string, err error) {
	info, err := os.Stat(path)
	if err != nil {
		return "", "", usage("setting credentials: %v", err)
	}
	if info.Mode().Perm()&0o077 != 0 {
		return "", "", usage("setting credentials: %s can be read by others; run: chmod 600 %s", path, path)
	}
	b, err := os.ReadFile(path)
	if err != nil {
		return "", "", usage("setting credentials: %v", err)
	}
	var v struct {
		ID     string `json:"client_id"`
		Secret string `json:"client_secret"`
	}
	if err := json.Unmarshal(b, &v); err != nil {
		return "", "", usage(`setting credentials: %s is not {"client_id":"...","client_secret":"..."}`, path)
	}
	return v.ID, v.Secret, nil
}

// call makes one request and reads its answer into out.
func (c *caller) call(ctx context.Context, method, path string, in, out any) error {
	var body io.Reader
	kind := "application/json"
	switch in := in.(type) {
	case nil:
	case io.Reader:
		body, kind = in, "application/octet-stream"
	default:
		b, err := json.Marshal(in)
		if err != nil {
			return err
		}
		body = bytes.NewReader(b)
	}
	req, err := http.NewRequestWithContext(ctx, method, c.base+path, body)
	if err != nil {
		return err
	}
	req.Header.Set("Accept", "application/json")
	req.Header.Set("User-Agent", "lanyard-cli")
	if in != nil {
		req.Header.Set("Content-Type", kind)
	}
	res, err := c.do(req)
	if err != nil {
		return err
	}
	defer res.Body.Close()
	if res.StatusCode >= 300 {
		return problem(res)
	}
	if out == nil || res.StatusCode == http.StatusNoContent {
		return nil
	}
	return json.NewDecoder(res.Body).Decode(out)
}

func problem(res *http.Response) error {
	var p api.Error
	b, _ := io.ReadAll(io.LimitReader(res.Body, 64<<10))
	if json.Unmarshal(b, &p) != nil || p.Message == "" {
		return fmt.Errorf("the server answered %s", res.Status)
	}
	return errors.New(strings.ToLower(p.Message[:1]) + strings.TrimSuffix(p.Message[1:], "."))
}

// withCaller runs one administrative command.
func withCaller(cmd *cobra.Command, do func(*caller) error) error {
	c, err := connect(cmd)
	if err != nil {
		return err
	}
	return errors.Join(do(c), c.close())
}

// show writes a result as JSON, or as do writes it for people.
func show(cmd *cobra.Command, v any, do func(io.Writer)) error {
	if asJSON, _ := cmd.Flags().GetBool("json"); asJSON {
		e := json.NewEncoder(cmd.OutOrStdout())
		e.SetIndent("", "  ")
		return e.Encode(v)
	}
	do(cmd.OutOrStdout())
	return nil
}
