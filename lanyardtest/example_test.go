package lanyardtest_test

import (
	"fmt"
	"net/http"
	"testing"
	"time"

	"github.com/lanyard-go/lanyard"
	"github.com/lanyard-go/lanyard/lanyardtest"
)

// A route that wants a recent login lets ann in now and asks her again an hour
// later.
func Example() {
	t := new(testing.T) // a test uses its own

	m, clock := lanyardtest.NewManager(t, lanyard.Config{})
	settings := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {})
	app := m.Handler(m.Require(lanyard.Need{MaxAge: lanyard.RecentAuth}, settings))

	c := lanyardtest.Client(t, app, lanyardtest.SignIn(t, m, "ann"))
	for range 2 {
		res, err := c.Get(lanyardtest.Issuer + "/settings")
		if err != nil {
			fmt.Println(err)
			return
		}
		fmt.Println(res.StatusCode)
		clock.Advance(time.Hour)
	}
	// Output:
	// 200
	// 401
}
