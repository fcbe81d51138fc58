package csrf

import "testing"

// decision is one of the package's three, on one request.
type decision struct {
	name   string
	passes bool
	decide func() error
}

// decisions are those that a site makes all day, of requests as browsers send
// them.
func decisions(t testing.TB) []decision {
	check, facts := benched(t)
	facts.TokenOK = false // nobody looks for a token unless it is needed
	const own = "https://app.example"
	var (
		form    = request("POST", "/cart", "Sec-Fetch-Site", "same-origin", "Sec-Fetch-Mode", "navigate", "Sec-Fetch-Dest", "document", "Origin", own)
		old     = request("POST", "/cart", "Origin", own)
		link    = request("GET", "/", "Sec-Fetch-Site", "cross-site", "Sec-Fetch-Mode", "navigate", "Sec-Fetch-Dest", "document")
		socket  = request("GET", "/socket", "Upgrade", "websocket", "Sec-Fetch-Site", "same-origin", "Sec-Fetch-Mode", "websocket", "Origin", own)
		events  = request("GET", "/events", "Sec-Fetch-Site", "same-origin", "Sec-Fetch-Mode", "cors", "Sec-Fetch-Dest", "empty")
		foreign = request("POST", "/cart", "Sec-Fetch-Site", "cross-site", "Sec-Fetch-Mode", "navigate", "Sec-Fetch-Dest", "document", "Origin", "https://evil.example")
		sibling = request("POST", "/cart", "Sec-Fetch-Site", "same-site", "Origin", "https://blog.app.example")
		sandbox = request("POST", "/cart", "Origin", "null")
		silent  = request("POST", "/cart")
	)
	return []decision{
		{"own form", true, func() error { return check.Decide(form, facts) }},
		{"own form without Fetch Metadata", true, func() error { return check.Decide(old, facts) }},
		{"link from another site", true, func() error { return check.Decide(link, facts) }},
		{"own socket", true, func() error { return check.DecideUpgrade(socket, facts) }},
		{"own event stream", true, func() error { return check.DecideUpgrade(events, facts) }},
		{"own fetch under isolation", true, func() error { return IsolationGuard{}.Decide(events) }},
		{"form of another site", false, func() error { return check.Decide(foreign, facts) }},
		{"form of a sibling host", false, func() error { return check.Decide(sibling, facts) }},
		{"form of a sandbox without Fetch Metadata", false, func() error { return check.Decide(sandbox, facts) }},
		{"neither header nor token", false, func() error { return check.Decide(silent, facts) }},
	}
}

// How long it takes is for the benchmark. What holds on any machine is that
// passing costs no memory, and refusing no more than the error.
func TestADecisionAllocatesNothingButItsRefusal(t *testing.T) {
	for _, d := range decisions(t) {
		if err := d.decide(); (err == nil) != d.passes {
			t.Errorf("%s: %v", d.name, err)
		}
		want := 1.0
		if d.passes {
			want = 0
		}
		if n := testing.AllocsPerRun(100, func() { _ = d.decide() }); n != want {
			t.Errorf("%s: %v allocations, want %v", d.name, n, want)
		}
	}
}

func BenchmarkCommonDecisions(b *testing.B) {
	for _, d := range decisions(b) {
		b.Run(d.name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if err := d.decide(); (err == nil) != d.passes {
					b.Fatal(err)
				}
			}
		})
	}
}
