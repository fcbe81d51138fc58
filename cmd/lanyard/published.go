package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/lanyard-go/lanyard/token"
)

// published is what an issuer publishes about its tokens.
type published struct {
	keys   *token.PublicKeys // nil if nobody was asked
	issuer string            // empty if only the keys are known
}

// publishedKeys finds the keys to check a signature with where the flags say:
// a file, a server, or a data directory. Without any of them there are none.
func publishedKeys(cmd *cobra.Command) (published, error) {
	file, _ := cmd.Flags().GetString("jwks")
	server, _ := cmd.Flags().GetString("server")
	data := cmd.Flags().Changed("data")
	switch {
	case file != "" && server != "" || data && (file != "" || server != ""):
		return published{}, usage("--jwks, --server and --data say the same thing; give one of them")
	case file != "":
		set, err := os.ReadFile(file)
		if err != nil {
			return published{}, usage("setting jwks: %v", err)
		}
		keys, err := token.ParseJWKS(set)
		if err != nil {
			return published{}, usage("setting jwks: %s: %v", file, err)
		}
		return published{keys: keys}, nil
	case server != "":
		return askIssuer(cmd.Context(), server)
	case data:
		return keysOfData(cmd)
	}
	return published{}, nil
}

func keysOfData(cmd *cobra.Command) (p published, err error) {
	err = withCaller(cmd, func(c *caller) error {
		var set json.RawMessage
		if err := c.call(cmd.Context(), "GET", "/.well-known/jwks.json", nil, &set); err != nil {
			return err
		}
		p.keys, err = token.ParseJWKS(set)
		return err
	})
	return p, err
}

const (
	askTimeout = 10 * time.Second
	askMost    = 64 << 10
)

// askIssuer reads metadata and keys of a server, which needs no credentials. The
// keys are read from the address that was given, wherever the metadata points.
func askIssuer(ctx context.Context, base string) (p published, err error) {
	u, err := url.Parse(base)
	if err != nil || u.Host == "" || u.Scheme != "https" && !(u.Scheme == "http" && isLoopback(u.Hostname())) {
		return p, usage("setting server: %q must be https, or http on a loopback name", base)
	}
	base = strings.TrimSuffix(base, "/")
	ctx, stop := context.WithTimeout(ctx, askTimeout)
	defer stop()
	text, err := getPublic(ctx, base+"/.well-known/oauth-authorization-server")
	if err != nil {
		return p, err
	}
	var m struct {
		Issuer string `json:"issuer"`
	}
	if err := json.Unmarshal(text, &m); err != nil || m.Issuer == "" {
		return p, fmt.Errorf("%s does not describe itself as an issuer", base)
	}
	p.issuer = m.Issuer
	if text, err = getPublic(ctx, base+"/.well-known/jwks.json"); err != nil {
		return p, err
	}
	if p.keys, err = token.ParseJWKS(text); err != nil {
		return p, fmt.Errorf("the keys of %s: %w", base, err)
	}
	return p, nil
}

// getPublic gets a small public document. Redirects are not followed: what they lead
// to is not the server that was asked for.
func getPublic(ctx context.Context, address string) ([]byte, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
	if err != nil {
		return nil, err
	}
	client := &http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	res, err := client.Do(req)
	if err != nil {
		return nil, err
	}
	defer res.Body.Close()
	if res.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("%s answered %s", address, res.Status)
	}
	b, err := io.ReadAll(io.LimitReader(res.Body, askMost+1))
	if err == nil && len(b) > askMost {
		err = errors.New("longer than 64 KiB")
	}
	if err != nil {
		return nil, fmt.Errorf("reading %s: %w", address, err)
	}
	return b, nil
}
