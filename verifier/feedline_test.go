package verifier_test

import (
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/lanyard-go/lanyard/verifier"
)

// copyStream passes on what comes, as it comes.
func copyStream(w http.ResponseWriter, r io.Reader) {
	b := make([]byte, 4096)
	for {
		n, err := r.Read(b)
		w.Write(b[:n])
		http.NewResponseController(w).Flush()
		if err != nil {
			return
		}
	}
}

// hello begins a stream.
func hello(w http.ResponseWriter, issuer, instance string) {
	w.Header().Set("Content-Type", "text/event-stream")
	send(w, "hello", "", fmt.Sprintf(`{"n":0,"issuer":%q,"instance":%q,"bound_ms":%d}`, issuer, instance, homeBound.Milliseconds()))
}

func send(w http.ResponseWriter, name, id, data string) {
	if id != "" {
		id = "id: " + id + "\n"
	}
	fmt.Fprintf(w, "event: %s\n%sdata: %s\n\n", name, id, data)
	http.NewResponseController(w).Flush()
}

// Somebody who can write to the line, but does not hold the node's identity, can
// do no more than to make the service refuse everything: each forgery is named in
// the log, and nothing that was sent makes the service accept again.
func TestForgedEventsEndInRefusalAndAreNamed(t *testing.T) {
	entry := `{"kind":"session","sid":"0199f0a2b3c4d5e6f708192a30","at":1,"keep_ms":1000}`
	beat := func(h *home, n int) string { return fmt.Sprintf(`{"n":%d,"issuer":%q,"instance":"x"}`, n, h.url) }
	for _, test := range []struct {
		name  string
		forge func(h *home, w http.ResponseWriter)
		want  string
	}{
		{"an event left out", func(h *home, w http.ResponseWriter) { send(w, "heartbeat", "c", beat(h, 2)) }, "order"},
		{"an event sent again", func(h *home, w http.ResponseWriter) {
			send(w, "heartbeat", "c", beat(h, 1))
			send(w, "heartbeat", "c", beat(h, 1))
		}, "order"},
		{"events in another order", func(h *home, w http.ResponseWriter) {
			send(w, "heartbeat", "c", beat(h, 1))
			send(w, "heartbeat", "c", beat(h, 3))
			send(w, "heartbeat", "c", beat(h, 2))
		}, "order"},
		{"a heartbeat of another node", func(h *home, w http.ResponseWriter) {
			send(w, "heartbeat", "c", strings.Replace(beat(h, 1), `"x"`, `"y"`, 1))
		}, "instance"},
		{"a heartbeat of another issuer", func(h *home, w http.ResponseWriter) {
			send(w, "heartbeat", "c", strings.Replace(beat(h, 1), h.url, "https://evil.example", 1))
		}, "issuer"},
		{"an entry that cannot be read", func(h *home, w http.ResponseWriter) {
			send(w, "revoked", "c", `{"n":1,"entries":[`+strings.Replace(entry, "session", "spell", 1)+`]}`)
		}, "malformed"},
		{"an event without end", func(h *home, w http.ResponseWriter) {
			fmt.Fprint(w, "event: revoked\ndata: ")
			for range 48 { // more than an event may have
				fmt.Fprint(w, strings.Repeat(" ", 64<<10))
			}
		}, "malformed"},
		{"heartbeats for ever, of a node that takes no acknowledgement", func(h *home, w http.ResponseWriter) {
			for n := 1; ; n++ {
				if send(w, "heartbeat", "c", beat(h, n)); n > 200 {
					return
				}
			}
		}, ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			h := newHome(t)
			var log diary
			cfg := h.config()
			cfg.Logger = log.logger()
			v := h.run(cfg)
			raw := h.token("ann")
			if c := settled(t, v, raw); c != "" {
				t.Fatal(c)
			}
			forged := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				hello(w, h.url, "x")
				test.forge(h, w)
			})
			h.stream.Store(&forged)
			h.srv.CloseClientConnections()
			h.within(patience, "the service is blind", func() bool { return isBlind(v) })
			if c := judged(t, v, raw); c != verifier.CauseRevocation {
				t.Errorf("a token: %q", c)
			}
			if test.want != "" {
				h.within(patience, "the log names it", func() bool { return strings.Contains(log.String(), "trouble="+test.want) })
			}
			// For as long as it goes on.
			for over := time.Now().Add(homeBound); time.Now().Before(over); time.Sleep(time.Millisecond) {
				if c := judged(t, v, raw); c != verifier.CauseRevocation {
					t.Fatalf("later: %q", c)
				}
			}
			h.end("ann")
			h.stream.Store(nil)
			h.within(patience, "the end that nobody told is known", func() bool { return judged(t, v, raw) == verifier.CauseRevoked })
			h.ready(v)
			if c := settled(t, v, h.token("ann")); c != "" {
				t.Errorf("once the line is well: %q", c)
			}
		})
	}
}
