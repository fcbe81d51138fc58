package redis

import (
	"errors"
	"fmt"
	"strings"
)

// ErrLost: keys that every store has are missing, or belong to data that was put
// in place since this process started. Nothing is accepted then, as nobody knows
// what else is missing. Opening the store again starts afresh.
var ErrLost = errors.New("redis: the store's data was lost or replaced")

// refused is an answer of the server that says why a step did not happen. Its
// text starts with what to look at.
type refused struct {
	doing, code string
	hint        string
	err         error
}

func (r *refused) Error() string {
	if r.hint == "" {
		return fmt.Sprintf("redis: %s: %v", r.doing, r.err)
	}
	return fmt.Sprintf("redis: %s: %s: %v", r.doing, r.hint, r.err)
}

func (r *refused) Unwrap() []error {
	if r.code == "LOST" {
		return []error{r.err, ErrLost}
	}
	return []error{r.err}
}

// hints say what a server's error code means for the operator.
var hints = map[string]string{
	"LOADING":     "the server is reading its data from disk, wait for it",
	"OOM":         "the server's memory is full, raise maxmemory",
	"READONLY":    "this server is a replica, name the primary or connect through Sentinel",
	"CLUSTERDOWN": "the Cluster has slots without a primary, see CLUSTER INFO",
	"MASTERDOWN":  "this server is a replica that lost its primary, name the primary or connect through Sentinel",
	"TRYAGAIN":    "the Cluster is moving the slot, it takes longer than this call may",
	"NOREPLICAS":  "fewer replicas follow than min-replicas-to-write asks for",
	"MISCONF":     "the server cannot write to its disk",
	"NOAUTH":      "the server asks for a password",
	"WRONGPASS":   "user name or password is wrong",
	"NOPERM":      "the server's access list does not let this user do it, see docs/redis.md",
	"WRONGTYPE":   "something else uses these keys, choose another Config.Prefix",
	"FOREIGN":     "something else uses these keys, choose another Config.Prefix",
	"CROSSSLOT":   "the client sent the command to the wrong node",
	"LOST":        "keys of the store are missing, open it again",
}

// codeOf returns the code that the server's answer starts with, if err is one.
func codeOf(err error) string {
	var r *refused
	switch {
	case err == nil:
		return ""
	case errors.As(err, &r):
		return r.code
	}
	code, _, _ := strings.Cut(err.Error(), " ")
	if len(code) < 3 || strings.Trim(code, "ABCDEFGHIJKLMNOPQRSTUVWXYZ") != "" {
		return ""
	}
	return code
}

func explain(doing string, err error) error {
	code := codeOf(err)
	return &refused{doing: doing, code: code, hint: hints[code], err: err}
}

func badReply(doing string, reply any) error {
	return fmt.Errorf("redis: %s: answered with a %T that is not understood", doing, reply)
}
