package forge

import (
	"encoding/json"
	"strings"
)

// misdirected are tokens that the issuer's key really signed, for somebody else
// or for something else.
func (a *Attacker) misdirected() []Row {
	var rows []Row
	claims := func(cause, name string, change members) {
		rows = append(rows, Row{"D13", name, a.byIssuer(a.header(nil), a.claims(change)), cause})
	}
	claims("audience", "for another service", members{"aud": "https://other.example"})
	claims("audience", "for several other services", members{"aud": []string{"https://other.example", "x"}})
	claims("audience", "for an empty list", members{"aud": []string{}})
	claims("claim_missing", "for nobody", members{"aud": nil})
	claims("claim_type", "for a number", members{"aud": 1})
	claims("issuer", "from another issuer", members{"iss": "https://evil.example"})
	claims("issuer", "from an issuer with a slash more", members{"iss": a.issuer() + "/"})
	claims("claim_missing", "from no issuer", members{"iss": nil})
	claims("claim_missing", "an id token by its claims", members{"client_id": nil, "nonce": "n", "azp": "app"})

	for typ, name := range map[any]string{
		"JWT": "an id token", "logout+jwt": "a logout token", "dpop+jwt": "a proof of possession",
		"secevent+jwt": "a security event", "statuslist+jwt": "a status list", "client-authentication+jwt": "a client's assertion",
		"at+jwt ": "a blank behind the type", "at-jwt": "another sign in the type", "": "an empty type",
	} {
		rows = append(rows, Row{"D13", name, a.byIssuer(a.header(members{"typ": typ}), a.claims(nil)), "type"})
	}
	return append(rows, Row{"D13", "no type", a.byIssuer(a.header(members{"typ": nil}), a.claims(nil)), "type"},
		Row{"D13", "the type is a list", a.byIssuer(a.header(members{"typ": []string{"at+jwt"}}), a.claims(nil)), "type"})
}

func (a *Attacker) issuer() string {
	var c struct{ Iss string }
	if err := json.Unmarshal(a.part(1), &c); err != nil {
		panic(err)
	}
	return c.Iss
}

// polyglots are encrypted tokens, other serialisations, extensions, duplicate
// names and other algorithms.
func (a *Attacker) polyglots() []Row {
	p := strings.Split(a.Good, ".")
	object := func(m members) string {
		b, err := json.Marshal(m)
		if err != nil {
			panic(err)
		}
		return string(b)
	}
	bomb := members{"alg": "PBES2-HS256+A128KW", "enc": "A128CBC-HS256", "p2c": 2147483647, "p2s": "AAAA", "kid": a.kid(), "typ": "at+jwt"}
	doubled := func(part string) string { return `{"alg":"none","sub":"root",` + part[1:] }
	rows := []Row{
		{"D14", "an encrypted token", strings.Join([]string{b64([]byte(object(members{"alg": "dir", "enc": "A128GCM"}))), "", "AAAA", "AAAA", "AAAA"}, "."), "form"},
		{"D14", "a password-encrypted token that costs minutes", b64([]byte(object(bomb))) + ".AAAA.AAAA.AAAA.AAAA", "form"},
		{"D14", "the same said to be signed", a.byIssuer(object(bomb), a.claims(nil)), "algorithm"},
		{"D14", "an encryption method in the header", a.byIssuer(a.header(members{"enc": "A128GCM"}), a.claims(nil)), "header"},
		{"D14", "compressed", a.byIssuer(a.header(members{"zip": "DEF"}), a.claims(nil)), "header"},
		{"D14", "a nested token", a.byIssuer(a.header(members{"cty": "JWT"}), a.Good), "header"},
		{"D14", "flattened JSON", object(members{"protected": p[0], "payload": p[1], "signature": p[2]}), "form"},
		{"D14", "general JSON", object(members{"payload": p[1], "signatures": []members{{"protected": p[0], "signature": p[2]}}}), "form"},
		{"D14", "two tokens in one", a.Good + "." + a.Good, "form"},
		{"D15", "an extension that must be understood", a.byIssuer(a.header(members{"crit": []string{"x"}, "x": 1}), a.claims(nil)), "critical"},
		{"D15", "an empty list of extensions", a.byIssuer(a.header(members{"crit": []string{}}), a.claims(nil)), "critical"},
		{"D15", "an unencoded payload", a.byIssuer(a.header(members{"crit": []string{"b64"}, "b64": false}), a.claims(nil)), "critical"},
		{"D15", "alg twice", a.byIssuer(doubled(a.header(nil)), a.claims(nil)), "header"},
		{"D15", "alg twice, once escaped", a.byIssuer(`{"\u0061lg":"none",`+a.header(nil)[1:], a.claims(nil)), "header"},
		{"D15", "alg in capitals besides", a.byIssuer(a.header(members{"ALG": "none"}), a.claims(nil)), "header"},
		{"D15", "sub twice", a.byIssuer(a.header(nil), doubled(a.claims(nil))), "payload"},
		{"D15", "sub in capitals besides", a.byIssuer(a.header(nil), a.claims(members{"SUB": "root"})), "claim_type"},
		{"D15", "a name twice deep inside", a.byIssuer(a.header(nil), `{"x":{"a":1,"a":2},`+a.claims(nil)[1:]), "payload"},
		{"D15", "bytes that are not UTF-8", a.byIssuer(a.header(nil), "{\"x\":\"\xff\","+a.claims(nil)[1:]), "payload"},
		{"D15", "data behind the claims", a.byIssuer(a.header(nil), a.claims(nil)+"{}"), "payload"},
	}
	for _, alg := range []string{"RS256", "PS256", "ES384", "ES512", "ES256K", "Ed448", "es256", "HS256", "RS1", "ML-DSA-44"} {
		rows = append(rows, Row{"D16", "said to be " + alg, a.byIssuer(a.header(members{"alg": alg}), a.claims(nil)), "algorithm"})
	}
	return append(rows, Row{"D16", "said to be of another key type", a.byIssuer(a.header(members{"alg": "Ed25519"}), a.claims(nil)), "algorithm"})
}
