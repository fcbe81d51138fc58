// Package contender holds what the benchmarks compare: this project's way to
// know who makes a request beside the ways of others, each set up with care and
// guarding the same page. [Open] makes a site; its tests show that every site
// lets in a good credential and nothing else, so that equals are compared.
package contender

import (
	"fmt"
	"net/http"
	"time"

	"github.com/lanyard-go/lanyard"
)

const (
	issuer   = "https://app.example"
	audience = issuer
	client   = "benchmark"

	// limit is how long sessions and tokens last: longer than any run.
	limit = 24 * time.Hour
)

// person is what every contender keeps of a session: who it is, how that was
// found out, and the device.
type person struct {
	subject, label, agent, address string
}

// somebody returns the nth person, who always is the same.
func somebody(n int) person {
	return person{
		subject: fmt.Sprintf("user%08d", n),
		label:   "Chrome on Linux",
		agent:   "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0.0.0 Safari/537.36 Test/12",
		address: "203.0.113.77",
	}
}

// login is a person as this project takes one.
func (p person) login(c lanyard.Channel) lanyard.Login {
	return lanyard.Login{
		Subject: p.subject, Methods: []string{"pwd"}, Channel: c,
		Device: p.label, UserAgent: p.agent, IP: p.address,
	}
}

// Badge is the header by which one client is recognised.
type Badge struct{ Name, Value string }

// Set puts the badge into a request.
func (b Badge) Set(r *http.Request) { r.Header.Set(b.Name, b.Value) }

func cookieBadge(name, value string) Badge { return Badge{"Cookie", name + "=" + value} }

func bearerBadge(text string) Badge { return Badge{"Authorization", "Bearer " + text} }
