package forge

import (
	"crypto/elliptic"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"strings"
	"time"
)

// Row is one forged token.
type Row struct {
	ID    string // the attack
	Name  string // the variant, as a person would say it
	Token string
	Cause string // the check that must refuse it, as logged
}

type members = map[string]any

// Rows makes every token of the list. Attacks that are not about one token, such
// as a withdrawn key, have none.
func (a *Attacker) Rows() []Row {
	var rows []Row
	add := func(id, cause, name, token string) { rows = append(rows, Row{id, name, token, cause}) }
	admin := a.claims(members{"sub": "root"})
	good := strings.Split(a.Good, ".")

	add("D1", "signature", "another subject under the old signature", good[0]+"."+b64([]byte(admin))+"."+good[2])
	add("D1", "signature", "signed by somebody else under our key id", a.byAttacker(a.header(nil), admin))
	for _, none := range []string{"none", "None", "NONE", "nOnE", "none ", "", "null"} {
		add("D2", "algorithm", fmt.Sprintf("alg %q and some signature", none), a.unsigned(a.header(members{"alg": none}), admin, []byte("x")))
	}
	add("D2", "form", "alg none and no signature", a.unsigned(a.header(members{"alg": "none"}), admin, nil))
	add("D2", "algorithm", "no alg", a.unsigned(a.header(members{"alg": nil}), admin, []byte("x")))
	add("D2", "algorithm", "alg is not a string", a.unsigned(a.header(members{"alg": []string{"none"}}), admin, []byte("x")))
	for i, secret := range a.publicForms() {
		id := "D3"
		if i == 4 {
			id = "D4"
		}
		add(id, "algorithm", fmt.Sprintf("HS256 with the public key, form %d", i+1), a.hmac("HS256", admin, secret))
		add(id, "signature", fmt.Sprintf("an HMAC with the public key said to be ES256, form %d", i+1), a.hmac("ES256", admin, secret))
	}
	for _, secret := range []string{"secret", "changeme", "your-256-bit-secret"} {
		add("D5", "algorithm", "HS256 with the weak secret "+secret, a.hmac("HS256", admin, []byte(secret)))
	}
	add("D6", "algorithm", "HS256 with an empty secret", a.hmac("HS256", admin, nil))
	add("D6", "form", "an empty signature", a.unsigned(a.header(nil), admin, nil))
	add("D6", "signature", "a signature of one null byte", a.unsigned(a.header(nil), admin, []byte{0}))
	add("D7", "header", "the key in the header", a.byAttacker(a.header(members{"jwk": json.RawMessage(jwk(&a.own.PublicKey))}), admin))
	add("D7", "header", "the issuer's own key in the header", a.byIssuer(a.header(members{"jwk": json.RawMessage(jwk(&a.Issuer.PublicKey))}), admin))
	for _, name := range []string{"jku", "x5u"} {
		add("D8", "header", name+" points elsewhere", a.byAttacker(a.header(members{name: a.Lure}), admin))
	}
	add("D8", "header", "a certificate in the header", a.byAttacker(a.header(members{"x5c": []string{base64.StdEncoding.EncodeToString(point(&a.own.PublicKey))}}), admin))
	for _, kid := range []string{"../../../../dev/null", "/proc/sys/kernel/randomize_va_space", "x' UNION SELECT 'AA'-- ", "key|/usr/bin/id", "a\x00b", "a\nb", strings.Repeat("k", 129), ""} {
		add("D9", "key_id", fmt.Sprintf("kid %.40q", kid), a.byAttacker(a.header(members{"kid": kid}), admin))
	}
	add("D9", "unknown_key", "a kid that names nothing", a.byAttacker(a.header(members{"kid": "key-1.pem"}), admin))
	add("D9", "key_id", "no kid", a.byIssuer(a.header(members{"kid": nil}), admin))

	for name, sig := range zeroSignatures() {
		add("D10", "signature", name, a.unsigned(a.header(nil), admin, sig))
	}
	rows = append(rows, a.damaged()...)
	rows = append(rows, a.misdated()...)
	rows = append(rows, a.misdirected()...)
	return append(rows, a.polyglots()...)
}

func (a *Attacker) hmac(alg, payload string, secret []byte) string {
	text := b64([]byte(a.header(members{"alg": alg}))) + "." + b64([]byte(payload))
	mac := hmac.New(sha256.New, secret)
	mac.Write([]byte(text))
	return text + "." + b64(mac.Sum(nil))
}

// zeroSignatures fit every message where a verifier forgets to check the range
// of r and s.
func zeroSignatures() map[string][]byte {
	n := elliptic.P256().Params().N.FillBytes(make([]byte, 32))
	zero, one := make([]byte, 32), append(make([]byte, 31), 1)
	join := func(r, s []byte) []byte { return append(append([]byte(nil), r...), s...) }
	return map[string][]byte{
		"r and s are zero":             join(zero, zero),
		"r is zero":                    join(zero, one),
		"s is zero":                    join(one, zero),
		"r and s are the group order":  join(n, n),
		"r is the group order, s one":  join(n, one),
		"a zero signature in ASN.1":    {0x30, 6, 2, 1, 0, 2, 1, 0},
		"a zero signature, cut short":  make([]byte, 63),
		"a zero signature, and a byte": make([]byte, 65),
	}
}

// damaged are tokens that were cut or that carry null bytes.
func (a *Attacker) damaged() []Row {
	p := strings.Split(a.Good, ".")
	return []Row{
		{"D11", "one part", p[0], "form"},
		{"D11", "two parts", p[0] + "." + p[1], "form"},
		{"D11", "dots alone", "..", "form"},
		{"D11", "an empty header", "." + p[1] + "." + p[2], "form"},
		{"D11", "an empty payload", p[0] + ".." + p[2], "form"},
		{"D11", "the last character is missing", a.Good[:len(a.Good)-1], "form"},
		{"D11", "the last byte of the signature is missing", a.Good[:len(a.Good)-2], "signature"},
		{"D11", "padding", a.Good + "==", "form"},
		{"D11", "the alphabet of plain base64", strings.Replace(a.Good, p[2], p[2][:85]+"/", 1), "form"},
		{"D11", "a null byte behind alg", a.byIssuer(a.header(members{"alg": "ES256\x00"}), a.claims(nil)), "algorithm"},
		{"D11", "a null byte behind typ", a.byIssuer(a.header(members{"typ": "at+jwt\x00"}), a.claims(nil)), "type"},
		{"D11", "a null byte behind aud", a.byIssuer(a.header(nil), a.claims(members{"aud": "x\x00"})), "audience"},
		{"D11", "a raw null byte in the header", a.byIssuer(a.header(nil)+"\x00", a.claims(nil)), "header"},
		{"D11", "longer than the limit", a.byIssuer(a.header(nil), a.claims(members{"x": strings.Repeat("A", 6<<10)})), "too_long"},
	}
}

// misdated are tokens out of their time, or without one.
func (a *Attacker) misdated() []Row {
	at := func(d time.Duration) int64 { return a.Now.Add(d).Unix() }
	row := func(cause, name string, change members) Row {
		return Row{"D12", name, a.byIssuer(a.header(nil), a.claims(change)), cause}
	}
	return []Row{
		row("expired", "long expired", members{"exp": at(-time.Hour)}),
		row("expired", "expired at this second", members{"exp": at(0)}),
		row("not_yet_valid", "not valid before a minute from now", members{"nbf": at(time.Minute)}),
		row("issued_in_future", "issued a minute from now", members{"iat": at(time.Minute), "exp": at(time.Hour)}),
		row("claim_missing", "no expiry", members{"exp": nil}),
		row("claim_missing", "no time of issue", members{"iat": nil}),
		row("claim_type", "the expiry as text", members{"exp": fmt.Sprint(at(time.Hour))}),
		row("claim_type", "an expiry beyond all numbers", members{"exp": json.Number("1e999")}),
		row("claim_type", "a negative expiry", members{"exp": -1}),
		row("claim_type", "the expiry in another letter case", members{"exp": nil, "EXP": at(time.Hour)}),
	}
}
