package dpop_test

import (
	"testing"
	"time"

	"github.com/lanyard-go/lanyard/dpop"
)

// The sample proofs of RFC 9449, sections 5 and 7.1.
const (
	rfcThumbprint = "0ZcOCORZNYy-DWpqq30jZyJGHTN0d2HglBV3uiguA4I"
	rfcToken      = "Kz~8mXK1EalYznwH-LC-1fBAo.4Ljp~zsPE_NeO.gxU"
	rfcHeader     = "eyJ0eXAiOiJkcG9wK2p3dCIsImFsZyI6IkVTMjU2IiwiandrIjp7Imt0eSI6IkVDIiwieCI6Imw4dEZyaHgtMzR0VjNoUklDUkRZOXpDa0RscEJoRjQyVVFVZldWQVdCRnMiLCJ5IjoiOVZFNGpmX09rX282NHpiVFRsY3VOSmFqSG10NnY5VERWclUwQ2R2R1JEQSIsImNydiI6IlAtMjU2In19"
	rfcAtToken    = rfcHeader + ".eyJqdGkiOiItQndDM0VTYzZhY2MybFRjIiwiaHRtIjoiUE9TVCIsImh0dSI6Imh0dHBzOi8vc2VydmVyLmV4YW1wbGUuY29tL3Rva2VuIiwiaWF0IjoxNTYyMjYyNjE2fQ.2-GxA6T8lP4vfrg8v-FdWP0A0zdrj8igiMLvqRMUvwnQg4PtFLbdLXiOSsX0x7NVY-FNyJK70nfbV37xRZT3Lg"
	rfcAtResource = rfcHeader + ".eyJqdGkiOiJlMWozVl9iS2ljOC1MQUVCIiwiaHRtIjoiR0VUIiwiaHR1IjoiaHR0cHM6Ly9yZXNvdXJjZS5leGFtcGxlLm9yZy9wcm90ZWN0ZWRyZXNvdXJjZSIsImlhdCI6MTU2MjI2MjYxOCwiYXRoIjoiZlVIeU8ycjJaM0RaNTNFc05yV0JiMHhXWG9hTnk1OUlpS0NBcWtzbVFFbyJ9.2oW9RP35yRqzhrtNP86L-Ey71EOptxRimPPToA1plemAgR6pxHF8y6-yqyVnmcw6Fy1dqd-jfxSYoMxhAJpLjA"
)

// req: DPOP-12, DPOP-13
func TestSamplesOfTheStandardHold(t *testing.T) {
	tests := []struct {
		name, proof string
		at          int64
		request     dpop.Request
	}{
		{"at the token endpoint", rfcAtToken, 1562262616, dpop.Request{Method: "POST", URL: "https://server.example.com/token"}},
		{"at a resource", rfcAtResource, 1562262618, dpop.Request{Method: "GET", URL: "https://resource.example.org/protectedresource",
			Token: rfcToken, Thumbprint: rfcThumbprint}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			p, err := checker(t, dpop.Config{Now: func() time.Time { return time.Unix(tt.at, 0) }}).Check(t.Context(), []string{tt.proof}, tt.request)
			if err != nil {
				t.Fatal(err)
			}
			if p.Thumbprint != rfcThumbprint || p.Algorithm != "ES256" || p.IssuedAt.Unix() != tt.at {
				t.Errorf("read as %+v", p)
			}
		})
	}
}
