// Command jsonapi is a JSON API with token sessions: a login that gives a pair
// of tokens, a refresh that rotates it, a route for whoever is signed in, and a
// logout. Sessions are in memory and end with the program.
package main

import (
	"context"
	"crypto/rand"
	"crypto/subtle"
	"encoding/json"
	"fmt"
	"log"
	"net/http"

	"github.com/lanyard-go/lanyard"
	"github.com/lanyard-go/lanyard/store/memory"
)

// routes serves the API. Check is where a real one asks its own users' table.
func routes(m *lanyard.Manager, check func(name, password string) bool) http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("POST /login", func(w http.ResponseWriter, r *http.Request) {
		var in struct{ Name, Password string }
		if !read(w, r, &in) {
			return
		}
		if !check(in.Name, in.Password) {
			refuse(w, http.StatusUnauthorized, "invalid_credentials")
			return
		}
		grant, err := m.Start(r.Context(), lanyard.Login{
			Subject: in.Name, Methods: []string{"pwd"}, Channel: lanyard.ChannelToken, Request: r,
		})
		answer(m, w, r, grant, err)
	})
	mux.HandleFunc("POST /refresh", func(w http.ResponseWriter, r *http.Request) {
		var in struct {
			RefreshToken string `json:"refresh_token"`
		}
		if !read(w, r, &in) {
			return
		}
		grant, err := m.Renew(r.Context(), in.RefreshToken, lanyard.Renewal{Request: r})
		answer(m, w, r, grant, err)
	})
	me := func(w http.ResponseWriter, r *http.Request) {
		s := lanyard.From(r.Context())
		w.Header().Set("Content-Type", "application/json; charset=utf-8")
		json.NewEncoder(w).Encode(map[string]any{"subject": s.Subject(), "signed_in_at": s.AuthTime()})
	}
	mux.Handle("GET /me", m.Require(lanyard.Need{Channel: lanyard.ChannelToken}, http.HandlerFunc(me)))
	mux.HandleFunc("POST /logout", func(w http.ResponseWriter, r *http.Request) {
		if err := m.Logout(w, r); err != nil {
			m.WriteError(w, r, err)
			return
		}
		w.WriteHeader(http.StatusNoContent)
	})
	return m.Handler(mux)
}

// answer writes a pair of tokens, or the refusal.
func answer(m *lanyard.Manager, w http.ResponseWriter, r *http.Request, grant *lanyard.Grant, err error) {
	if err == nil {
		err = m.Write(w, r, grant)
	}
	if err != nil {
		m.WriteError(w, r, err)
	}
}

func read(w http.ResponseWriter, r *http.Request, v any) bool {
	err := json.NewDecoder(http.MaxBytesReader(w, r.Body, 16<<10)).Decode(v)
	if err != nil {
		refuse(w, http.StatusBadRequest, "invalid_request")
	}
	return err == nil
}

func refuse(w http.ResponseWriter, status int, code string) {
	w.Header().Set("Content-Type", "application/json; charset=utf-8")
	w.WriteHeader(status)
	json.NewEncoder(w).Encode(map[string]string{"error": code})
}

func main() {
	m, err := lanyard.New(memory.New(), lanyard.Config{Issuer: "http://localhost:8080"})
	if err != nil {
		log.Fatal(err)
	}
	go m.Run(context.Background())
	secret := rand.Text()
	check := func(name, pw string) bool {
		return name == "ann" && subtle.ConstantTimeCompare([]byte(pw), []byte(secret)) == 1
	}
	fmt.Printf("curl -d '{\"name\":\"ann\",\"password\":\"%s\"}' http://localhost:8080/login\n", secret)
	log.Fatal(http.ListenAndServe("localhost:8080", routes(m, check)))
}
