package server

import (
	"context"
	_ "embed"
	"net/http"
	"time"

	"github.com/lanyard-go/lanyard"
)

//go:embed openapi.yaml
var openapiText []byte

func plain(w http.ResponseWriter, status int, text string) {
	h := w.Header()
	h.Set("Content-Type", "text/plain; charset=utf-8")
	h.Set("Cache-Control", "no-store")
	w.WriteHeader(status)
	w.Write([]byte(text + "\n"))
}

// livez says that the process answers.
func (s *Server) livez(w http.ResponseWriter, r *http.Request) { plain(w, http.StatusOK, "ok") }

// readyz says whether requests can be served: the store and the directory
// answer, and the server is not stopping.
func (s *Server) readyz(w http.ResponseWriter, r *http.Request) {
	ctx, cancel := context.WithTimeout(r.Context(), 2*time.Second)
	defer cancel()
	err := s.dirDB.PingContext(ctx)
	if p, ok := s.store.(lanyard.Pinger); ok && err == nil {
		err = p.Ping(ctx)
	}
	switch {
	case s.draining.Load():
		plain(w, http.StatusServiceUnavailable, "stopping")
	case err != nil:
		s.log.Error("not ready", "error", err)
		plain(w, http.StatusServiceUnavailable, "not ready")
	default:
		plain(w, http.StatusOK, "ok")
	}
}

func (s *Server) openapi(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Content-Type", "application/yaml; charset=utf-8")
	w.Header().Set("Cache-Control", "public, max-age=300")
	w.Write(openapiText)
}
