package revocation

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
)

// parseAck reads an acknowledgement and says which member is wrong.
func parseAck(body []byte) (*followerAck, error) {
	d := json.NewDecoder(bytes.NewReader(body))
	d.DisallowUnknownFields()
	var a followerAck
	if err := d.Decode(&a); err != nil {
		return nil, fmt.Errorf("the acknowledgement cannot be read: %w", err)
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return nil, errors.New("the acknowledgement goes on behind its end")
	}
	switch {
	case !isFollowerName(a.Follower):
		return nil, fmt.Errorf("follower: up to %d letters, digits and any of -, _, and the full stop", maxFollowerName)
	case a.ID != "" && !isFollowerName(a.ID):
		return nil, fmt.Errorf("id: up to %d letters, digits and any of -, _, and the full stop", maxFollowerName)
	case a.Cursor == "":
		return nil, errors.New("cursor: none")
	case checkCursor(a.Cursor) != nil:
		return nil, errors.New("cursor: not one of a feed")
	case len(a.Lags) > LagBuckets:
		return nil, fmt.Errorf("lags: more than %d", LagBuckets)
	case len(a.CanaryMS) > maxCanaries:
		return nil, fmt.Errorf("canary_ms: more than %d", maxCanaries)
	}
	for _, l := range a.Lags {
		if l[0] >= LagBuckets {
			return nil, fmt.Errorf("lags: there is no bucket %d", l[0])
		}
	}
	return &a, nil
}
