package server

import (
	"bytes"
	"context"
	"encoding/json"
	"os/exec"
	"time"
)

// mailReset hands a reset link to the operator's program, which mails it. It
// runs beside the request, for 30 seconds at most; how it ends is logged, the
// link never is.
func (s *Server) mailReset(user, url string, expires time.Time) {
	if s.cfg.ResetHook == "" {
		return
	}
	in, err := json.Marshal(struct {
		User    string    `json:"user"`
		URL     string    `json:"url"`
		Expires time.Time `json:"expires_at"`
	}{user, url, expires.UTC()})
	if err != nil {
		s.log.Error("preparing the reset hook failed", "error", err)
		return
	}
	s.hooks.Go(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
		defer cancel()
		cmd := exec.CommandContext(ctx, s.cfg.ResetHook)
		cmd.Stdin = bytes.NewReader(in)
		if err := cmd.Run(); err != nil {
			s.log.Error("the reset hook failed; the link was not mailed", "hook", s.cfg.ResetHook, "user", user, "error", err)
			return
		}
		s.log.Info("the reset hook was given a link", "user", user)
	})
}
