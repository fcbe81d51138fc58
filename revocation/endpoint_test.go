package revocation

import (
	"strings"
	"testing"
	"time"
)

func TestEndpoints(t *testing.T) {
	for text, want := range map[string]string{
		"https://app.example/v1/revocations":  "https://app.example/v1/revocations",
		"https://app.example/v1/revocations/": "https://app.example/v1/revocations",
		"http://localhost:8080/r":             "http://localhost:8080/r",
		"http://127.0.0.1/r":                  "http://127.0.0.1/r",
		"http://[::1]:1/r":                    "http://[::1]:1/r",
		"http://app.example/r":                "",
		"http://localhost.evil.example/r":     "",
		"https://user:pass@app.example/r":     "",
		"https://app.example/r?x=1":           "",
		"https://app.example/r?":              "",
		"https://app.example/r#":              "",
		"ftp://app.example/r":                 "",
		"https:///r":                          "",
		"https:app.example":                   "",
		"app.example/r":                       "",
		"":                                    "",
		"https://app.example/%zz":             "",
	} {
		e, err := parseEndpoint(text)
		if (err == nil) != (want != "") || e.stream != want || err == nil && (e.ack != want+"/ack" || e.snapshot != want+"/snapshot") {
			t.Errorf("%s: %+v, %v", text, e, err)
		}
	}
}

func TestFollowerConfigNamesWhatIsWrong(t *testing.T) {
	good := FollowerConfig{Endpoints: []string{"https://app.example/r"}, Issuer: feedIssuer}
	for _, c := range []struct {
		field  string
		change func(*FollowerConfig)
	}{
		{"", func(*FollowerConfig) {}},
		{"", func(c *FollowerConfig) { c.Name = strings.Repeat("aZ9_", 15) + "-.aa" }},
		{"Endpoints", func(c *FollowerConfig) { c.Endpoints = nil }},
		{"Endpoints", func(c *FollowerConfig) { c.Endpoints = make([]string, maxEndpoints+1) }},
		{"Endpoints[1]", func(c *FollowerConfig) { c.Endpoints = append(c.Endpoints, "http://app.example") }},
		{"Issuer", func(c *FollowerConfig) { c.Issuer = "" }},
		{"Name", func(c *FollowerConfig) { c.Name = "a b" }},
		{"Name", func(c *FollowerConfig) { c.Name = strings.Repeat("a", 65) }},
		{"MaxLease", func(c *FollowerConfig) { c.MaxLease = -1 }},
		{"MaxLease", func(c *FollowerConfig) { c.MaxLease = time.Hour }},
		{"MaxEntries", func(c *FollowerConfig) { c.MaxEntries = -1 }},
	} {
		cfg := good
		c.change(&cfg)
		f, err := NewFollower(cfg)
		switch {
		case c.field == "" && (err != nil || f.cfg.Name == ""):
			t.Errorf("refused: %v", err)
		case c.field != "" && (err == nil || !strings.Contains(err.Error(), "FollowerConfig."+c.field)):
			t.Errorf("%s: %v", c.field, err)
		}
	}
}

func TestRetriesGrowAndStartAnewWhenSettled(t *testing.T) {
	r := retries{endpoints: 3, longest: time.Second}
	if d := r.failed(TroubleEnded); d != 0 || r.at != 1 {
		t.Errorf("the first retry waits %v, at %d", d, r.at)
	}
	var most time.Duration
	for range 200 {
		d := r.failed(TroubleUnreachable)
		if most = max(most, d); d < 0 || d > time.Second {
			t.Fatalf("waits %v", d)
		}
	}
	if most < time.Second/2 {
		t.Errorf("never waited longer than %v", most)
	}
	r.settled()
	at := r.at
	if d := r.failed(TroubleResync); d != 0 || r.at != at {
		t.Errorf("a resync: waits %v, at %d instead of %d", d, r.at, at)
	}
	if d := r.failed(TroubleUnreachable); d > firstPause || r.at == at {
		t.Errorf("waits %v, at %d", d, r.at)
	}
}
