package statuslist

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"strconv"
)

// ErrReference is wrapped by whatever is wrong with a token's status claim.
var ErrReference = errors.New("statuslist: bad reference")

// Reference says where a token's status stands.
type Reference struct {
	URI   string // of the list
	Index int
}

// Claim returns the value of the claim "status" of a token, for the application
// claims of package token.
func (r Reference) Claim() (map[string]any, error) {
	if err := r.check(); err != nil {
		return nil, err
	}
	return map[string]any{"status_list": map[string]any{"idx": r.Index, "uri": r.URI}}, nil
}

func (r Reference) check() error {
	if r.Index < 0 {
		return fmt.Errorf("%w: idx: negative", ErrReference)
	}
	if err := checkURI(r.URI); err != nil {
		return fmt.Errorf("%w: %w", ErrReference, err)
	}
	return nil
}

// checkURI wants an address of https. Who takes a token would fetch whatever it
// names: a list is never behind another scheme.
func checkURI(uri string) error {
	u, err := url.Parse(uri)
	if err != nil || u.Scheme != "https" || u.Hostname() == "" || u.User != nil || u.Fragment != "" {
		return errors.New("uri: not an https address")
	}
	return nil
}

// ParseReference reads the value of the claim "status" as package token returns
// it among the application claims of a verified token. Members of other ways to
// tell a status are skipped.
func ParseReference(status any) (Reference, error) {
	members, _ := status.(map[string]any)
	list, ok := members["status_list"].(map[string]any)
	if !ok {
		return Reference{}, fmt.Errorf("%w: no status_list", ErrReference)
	}
	number, ok := list["idx"].(json.Number)
	index, err := strconv.ParseUint(number.String(), 10, 31)
	if !ok || err != nil {
		return Reference{}, fmt.Errorf("%w: idx: not an index", ErrReference)
	}
	uri, ok := list["uri"].(string)
	if !ok {
		return Reference{}, fmt.Errorf("%w: uri: not a string", ErrReference)
	}
	r := Reference{uri, int(index)}
	return r, r.check()
}
