package contender

import (
	"net/http"
	"net/http/httptest"

	"github.com/lanyard-go/lanyard/csrf"
)

// Decider is a check of headers alone, on the form of an own page.
type Decider struct {
	Name    string
	request *http.Request
	decide  func(*http.Request) error
}

// Pass decides n times and fails unless the form passes each time.
func (d *Decider) Pass(n int) error {
	for range n {
		if err := d.decide(d.request); err != nil {
			return err
		}
	}
	return nil
}

// Deciders are our check and the standard library's, each on a form with and one
// without Sec-Fetch-Site, where Origin decides.
func Deciders() []*Decider {
	check, err := csrf.New(csrf.Config{})
	if err != nil {
		panic(err) // the zero value holds
	}
	ours := func(r *http.Request) error { return check.Decide(r, csrf.Facts{Scheme: "https", CookieAuth: true}) }
	theirs := http.NewCrossOriginProtection().Check
	var list []*Decider
	for _, d := range []struct {
		name   string
		site   bool
		decide func(*http.Request) error
	}{{"ours, Sec-Fetch-Site", true, ours}, {"net/http, Sec-Fetch-Site", true, theirs}, {"ours, Origin", false, ours}, {"net/http, Origin", false, theirs}} {
		r := httptest.NewRequest("POST", issuer+"/private", nil)
		r.Header.Set("Origin", issuer)
		if d.site {
			r.Header.Set("Sec-Fetch-Site", "same-origin")
		}
		list = append(list, &Decider{d.name, r, d.decide})
	}
	return list
}
