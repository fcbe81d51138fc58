package adapters

import (
	"net/http"

	"github.com/gorilla/handlers"
	"github.com/gorilla/mux"

	"github.com/lanyard-go/lanyard"
)

// Mux is the application in gorilla/mux. Sessions is the manager's Handler, as
// middleware; or nothing, if Handler stands around the whole router.
func Mux(a *App, sessions ...func(http.Handler) http.Handler) http.Handler {
	r := mux.NewRouter()
	// In this order: on its way out of a panic CompressHandler ends its answer, as
	// 200, before a recovery around it can say 500.
	r.Use(handlers.CompressHandler, handlers.RecoveryHandler())
	for _, s := range sessions {
		r.Use(s)
	}
	r.HandleFunc("/login", a.Login).Methods("POST")
	r.HandleFunc("/logout", a.Logout).Methods("POST")

	own := r.NewRoute().Subrouter()
	own.Use(a.SignedIn)
	own.HandleFunc("/confirm", a.Confirm).Methods("POST")
	own.HandleFunc("/events", a.Events).Methods("GET")
	own.HandleFunc("/socket", a.Socket).Methods("GET")
	own.HandleFunc("/broken", func(http.ResponseWriter, *http.Request) { broken() }).Methods("GET")
	own.HandleFunc("/me", func(w http.ResponseWriter, r *http.Request) {
		reply(w, a.profile(lanyard.From(r.Context())))
	}).Methods("GET")
	own.Handle("/settings/{name}", a.Recent(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if err := a.set(lanyard.From(r.Context()), mux.Vars(r)["name"], r.Body); err != nil {
			http.Error(w, "cannot be read", http.StatusBadRequest)
		}
	}))).Methods("PUT")
	return r
}
