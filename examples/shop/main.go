// Command shop is a small shop with a login form of its own. A browser fills its
// cart before anybody signs in; the login names the cart, so the cart survives
// it. Messages are shown once. Sessions are in memory and end with the program.
package main

import (
	"context"
	"crypto/rand"
	"crypto/subtle"
	_ "embed"
	"errors"
	"fmt"
	"html/template"
	"log"
	"net/http"

	"github.com/lanyard-go/lanyard"
	"github.com/lanyard-go/lanyard/headers"
	"github.com/lanyard-go/lanyard/store/memory"
)

//go:embed page.html
var html string
var (
	page    = template.Must(template.New("page").Parse(html))
	cart    = lanyard.NewData[[]string]("cart")
	message = lanyard.NewData[string]("message")
)

// shop serves the pages, with the headers of policy. Check is where a real shop asks its own users' table.
func shop(m *lanyard.Manager, policy *headers.Policy, check func(name, password string) bool) http.Handler {
	mux := http.NewServeMux()
	serve := func(pattern string, h func(http.ResponseWriter, *http.Request) error) {
		mux.HandleFunc(pattern, func(w http.ResponseWriter, r *http.Request) {
			r.Body = http.MaxBytesReader(w, r.Body, 16<<10)
			if err := h(w, r); err != nil {
				m.WriteError(w, r, err)
			} else if r.Method == http.MethodPost {
				http.Redirect(w, r, "/", http.StatusSeeOther)
			}
		})
	}
	serve("GET /{$}", func(w http.ResponseWriter, r *http.Request) error {
		var view struct {
			Who, Message, Token, Nonce string
			Cart                       []string
		}
		var errs [4]error
		view.Nonce = headers.Nonce(r.Context())
		if view.Who = lanyard.From(r.Context()).Subject(); view.Who == "" {
			view.Token, errs[0] = m.Prepare(w, r) // binds the login form to this browser
		}
		view.Cart, errs[1] = cart.Get(r.Context())
		if view.Message, errs[2] = message.Get(r.Context()); view.Message != "" {
			errs[3] = message.Update(w, r, func(s *string) error { *s = ""; return nil }) // shown once
		}
		if err := errors.Join(errs[:]...); err != nil {
			return err
		}
		return page.Execute(w, view)
	})
	serve("POST /cart", func(w http.ResponseWriter, r *http.Request) error {
		item := r.PostFormValue("item")
		return cart.Update(w, r, func(c *[]string) error { *c = append(*c, item); return nil })
	})
	serve("POST /login", func(w http.ResponseWriter, r *http.Request) error {
		if err := m.CheckLogin(r, true); err != nil {
			return err
		}
		name := r.PostFormValue("name")
		if !check(name, r.PostFormValue("password")) {
			return message.Update(w, r, func(s *string) error { *s = "Name and password do not fit."; return nil })
		}
		if err := m.SpendLogin(r); err != nil {
			return err
		}
		grant, err := m.Start(r.Context(), lanyard.Login{Subject: name, Methods: []string{"pwd"}, Request: r, Carry: []string{"cart"}})
		if err != nil {
			return err
		}
		return m.Write(w, r, grant)
	})
	serve("POST /logout", m.Logout)
	return policy.Handler(m.Handler(mux))
}

func main() {
	m, err := lanyard.New(memory.New(), lanyard.Config{Issuer: "http://localhost:8080"})
	policy, err2 := headers.New(headers.Config{})
	if err := errors.Join(err, err2); err != nil {
		log.Fatal(err)
	}
	go m.Run(context.Background())
	secret := rand.Text()
	check := func(name, pw string) bool {
		return name == "ann" && subtle.ConstantTimeCompare([]byte(pw), []byte(secret)) == 1
	}
	fmt.Printf("open http://localhost:8080 and sign in as ann with %s\n", secret)
	log.Fatal(http.ListenAndServe("localhost:8080", shop(m, policy, check)))
}
