package adapters

import (
	"net/http"

	"github.com/go-chi/chi/v5"
	"github.com/go-chi/chi/v5/middleware"

	"github.com/lanyard-go/lanyard"
)

// Chi is the application in chi. Sessions is the manager's Handler, as middleware;
// or nothing, if Handler stands around the whole router.
func Chi(a *App, sessions ...func(http.Handler) http.Handler) http.Handler {
	r := chi.NewRouter()
	r.Use(middleware.Recoverer, middleware.Compress(5))
	r.Use(sessions...)
	r.Post("/login", a.Login)
	r.Post("/logout", a.Logout)
	r.Group(func(r chi.Router) {
		r.Use(a.SignedIn)
		r.Post("/confirm", a.Confirm)
		r.Get("/events", a.Events)
		r.Get("/socket", a.Socket)
		r.Get("/broken", func(http.ResponseWriter, *http.Request) { broken() })
		r.Get("/me", func(w http.ResponseWriter, r *http.Request) {
			reply(w, a.profile(lanyard.From(r.Context())))
		})
		r.With(a.Recent).Put("/settings/{name}", func(w http.ResponseWriter, r *http.Request) {
			if err := a.set(lanyard.From(r.Context()), chi.URLParam(r, "name"), r.Body); err != nil {
				http.Error(w, "cannot be read", http.StatusBadRequest)
			}
		})
	})
	return r
}
