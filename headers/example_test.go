package headers_test

import (
	"fmt"
	"html/template"
	"log"
	"net/http"
	"net/http/httptest"
	"strings"

	"github.com/lanyard-go/lanyard/headers"
)

// One script of the page itself runs, and whatever is injected does not.
func Example() {
	policy, err := headers.New(headers.Config{Sources: map[string][]string{"img-src": {"https://images.example"}}})
	if err != nil {
		log.Fatal(err)
	}
	var nonce string
	page := template.Must(template.New("").Parse(`<script nonce="{{.Nonce}}">greet({{.Name}})</script>`))
	h := policy.Handler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		nonce = headers.Nonce(r.Context())
		page.Execute(w, map[string]string{"Nonce": nonce, "Name": "Ann"})
	}))

	answer := httptest.NewRecorder()
	h.ServeHTTP(answer, httptest.NewRequest("GET", "/", nil))
	shown := strings.NewReplacer(nonce, "NONCE", "; ", ";\n") // the nonce is new each time
	fmt.Println(shown.Replace(answer.Body.String()))
	fmt.Println(shown.Replace(answer.Header().Get("Content-Security-Policy")))
	// Output:
	// <script nonce="NONCE">greet("Ann")</script>
	// default-src 'none';
	// script-src 'self' 'nonce-NONCE';
	// style-src 'self' 'nonce-NONCE';
	// img-src 'self' https://images.example;
	// font-src 'self';
	// connect-src 'self';
	// manifest-src 'self';
	// media-src 'self';
	// worker-src 'self';
	// form-action 'self';
	// frame-src 'none';
	// frame-ancestors 'none';
	// base-uri 'none';
	// object-src 'none'
}
