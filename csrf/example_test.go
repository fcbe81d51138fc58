package csrf_test

import (
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"

	"github.com/lanyard-go/lanyard/csrf"
)

func ExampleCheck_Decide() {
	check, err := csrf.New(csrf.Config{TrustedOrigins: []string{"https://partner.example"}})
	if err != nil {
		fmt.Println(err)
		return
	}
	guard := func(w http.ResponseWriter, r *http.Request) {
		csrf.AddVary(w.Header(), csrf.VaryCheck)
		err := check.Decide(r, csrf.Facts{Scheme: "https", CookieAuth: true})
		if refused, ok := errors.AsType[*csrf.Refused](err); ok {
			fmt.Println("log:", refused.Why, refused.Header)
			http.Error(w, "forbidden", http.StatusForbidden)
			return
		}
		fmt.Fprint(w, "done")
	}
	for _, site := range []string{"same-origin", "cross-site"} {
		r := httptest.NewRequest(http.MethodPost, "https://app.example/v1/logout", nil)
		r.Header.Set("Sec-Fetch-Site", site)
		w := httptest.NewRecorder()
		guard(w, r)
		fmt.Println(site, w.Code)
	}
	// Output:
	// same-origin 200
	// log: cross_site Sec-Fetch-Site
	// cross-site 403
}
