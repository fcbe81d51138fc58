package browsertest

import (
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/chromedp/cdproto/page"
	"github.com/chromedp/chromedp"

	"github.com/lanyard-go/lanyard"
)

// photograph writes a picture of the whole page.
func (b *tab) photograph(name string) {
	b.t.Helper()
	if err := os.MkdirAll(*screenshots, 0o755); err != nil {
		b.t.Fatal(err)
	}
	size := eval[[]float64](b, `[document.documentElement.clientWidth, Math.max(innerHeight, document.documentElement.scrollHeight)]`)
	shot, err := chromedp.Call(b.ctx, page.CaptureScreenshot, page.CaptureScreenshotParams{
		CaptureBeyondViewport: new(true), Clip: &page.Viewport{Width: size[0], Height: size[1], Scale: 1},
	})
	if err != nil {
		b.t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(*screenshots, name), shot.Data, 0o644); err != nil {
		b.t.Fatal(err)
	}
}

// people are the sessions of a small company on an ordinary day, oldest first.
var people = []struct {
	before          time.Duration // now
	subject, device string
	channel         lanyard.Channel
	ip, agent       string
}{
	{19 * time.Hour, "yusuf.demir", "backup-agent", lanyard.ChannelToken, "198.51.100.23", "lanyard-go/1.0"},
	{9 * time.Hour, "ines.moreau", "", lanyard.ChannelCookie, "203.0.113.9", "Mozilla/5.0 (Windows NT 10.0; Win64; x64; rv:146.0) Gecko/20100101 Firefox/146.0"},
	{7 * time.Hour, "amara.okafor", "build-server", lanyard.ChannelToken, "198.51.100.7", "curl/8.11.1"},
	{5 * time.Hour, "lin.wei", "", lanyard.ChannelCookie, "203.0.113.61", "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/26.0 Safari/605.1.15"},
	{4 * time.Hour, "tomas.berg", "Field tablet", lanyard.ChannelToken, "2001:db8:40::1f", "Mozilla/5.0 (Linux; Android 16; K) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/156.0.0.0 Safari/537.36"},
	{150 * time.Minute, "amara.okafor", "Amara's phone", lanyard.ChannelCookie, "2001:db8:17:4::c2", "Mozilla/5.0 (iPhone; CPU iPhone OS 26_1 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/26.0 Mobile/15E148 Safari/604.1"},
	{70 * time.Minute, "sofia.reyes", "", lanyard.ChannelCookie, "203.0.113.88", "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/156.0.0.0 Safari/537.36 Edg/156.0.0.0"},
	{25 * time.Minute, "lin.wei", "reports.py", lanyard.ChannelToken, "203.0.113.61", "python-requests/2.32"},
	{6 * time.Minute, "noor.haddad", "", lanyard.ChannelCookie, "198.51.100.140", "Mozilla/5.0 (X11; Linux x86_64; rv:146.0) Gecko/20100101 Firefox/146.0"},
}

// settle signs the people in, each at their time of the coming day, and leaves
// the clock at its end.
func (s *site) settle() {
	s.t.Helper()
	now := s.clock.now().Add(20 * time.Hour)
	for _, p := range people {
		s.clock.set(now.Add(-p.before))
		l := lanyard.Login{Subject: p.subject, Methods: []string{"pwd"}, Class: "aal1", Channel: p.channel, Device: p.device, IP: p.ip, UserAgent: p.agent}
		if _, err := s.srv.Manager().Start(s.t.Context(), l); err != nil {
			s.t.Fatal(err)
		}
	}
	s.clock.set(now)
}

// Every page in every state that a person comes by, in light and dark, on a
// desktop and on a phone: nothing sticks out to the side, every text has enough
// contrast, every control a name, the browser's console stays empty, and all of
// it comes from the site itself.
//
// req: CLIENT-10
func TestEveryPageAndScreenshots(t *testing.T) {
	for _, b := range tour(t, (*tab).inspect) {
		b.wantNothingForeign()
	}
}
