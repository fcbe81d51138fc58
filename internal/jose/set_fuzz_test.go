package jose

import (
	"encoding/json"
	"testing"

	gojose "github.com/go-jose/go-jose/v4"
)

// FuzzParseSet reads key sets. What is accepted holds public keys under ids of
// their own, is read the same way when written again, and go-jose finds the same
// keys in it.
func FuzzParseSet(f *testing.F) {
	f.Add(`{"keys":[` + embedded[:len(embedded)-1] + `,"kid":"a"}]}`)
	f.Add(`{"keys":[` + rfc7638Key + `,{"kty":"EC","crv":"P-521","kid":"b"},{"kty":"OKP","crv":"Ed25519","kid":"c","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}]}`)
	f.Add(`{"keys":[{"kty":"oct","k":"AAAA","kid":"d"}]}`)
	f.Add(`{"keys":[` + rfc7638Key + `,` + rfc7638Key + `]}`)
	f.Add(`{"keys":[]}`)
	f.Add(`{"KEYS":[]}`)
	f.Fuzz(func(t *testing.T, text string) {
		keys, err := ParseSet(text)
		if err != nil {
			return
		}
		if !json.Valid([]byte(text)) {
			t.Fatalf("%q was accepted and is no JSON", text)
		}
		seen := map[string]bool{}
		for _, k := range keys {
			if seen[k.KeyID()] || CheckKeyID(k.KeyID()) != nil {
				t.Fatalf("%q: the id %q", text, k.KeyID())
			}
			seen[k.KeyID()] = true
			var theirs gojose.JSONWebKey
			if err := theirs.UnmarshalJSON(k.AppendJWK(nil)); err != nil || !theirs.Valid() || !theirs.IsPublic() || theirs.KeyID != k.KeyID() {
				t.Fatalf("%q: go-jose reads %q as %+v, %v", text, k.KeyID(), theirs, err)
			}
		}
		again, err := ParseSet(string(AppendSet(nil, keys)))
		if err != nil || len(again) != len(keys) {
			t.Fatalf("%q is not read back: %v", text, err)
		}
		for i := range keys {
			if !keys[i].Equal(again[i]) || keys[i].KeyID() != again[i].KeyID() {
				t.Fatalf("%q: key %d is read back as another", text, i)
			}
		}
	})
}
