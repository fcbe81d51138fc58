package main

import (
	"bufio"
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/lanyard-go/lanyard/token"
)

func tokenCommand() *cobra.Command {
	cmd := group("token", "read an access token and say what is wrong with it", "  lanyard token inspect < token.txt")
	cmd.AddCommand(tokenInspect(), tokenVerify())
	return cmd
}

// readToken takes a token from a file or standard input, never from the command
// line, where other users of the machine could see it.
func readToken(cmd *cobra.Command, args []string) (string, error) {
	in := cmd.InOrStdin()
	if len(args) == 1 && args[0] != "-" {
		if strings.HasPrefix(args[0], "eyJ") && strings.Count(args[0], ".") == 2 {
			return "", usage("a token is not an argument, because others on this machine can see those; pipe it in")
		}
		f, err := os.Open(args[0])
		if err != nil {
			return "", usage("token file: %v", err)
		}
		defer f.Close()
		in = f
	}
	line, err := bufio.NewReader(io.LimitReader(in, 1<<20)).ReadString('\n')
	if err != nil && !errors.Is(err, io.EOF) {
		return "", err
	}
	if line = strings.TrimSpace(line); line == "" {
		return "", usage("no token on standard input")
	}
	return line, nil
}

func atMostOne(cmd *cobra.Command, args []string) error {
	if len(args) > 1 {
		return usage("%s takes at most one file; see %s --help", cmd.CommandPath(), cmd.CommandPath())
	}
	return nil
}

func tokenInspect() *cobra.Command {
	cmd := &cobra.Command{
		Use: "inspect [FILE]", Short: "explain a token: each part, each check, what is wrong and which rule says so", Args: atMostOne,
		Long: "Explains a token to a person: its parts, each check of a verifier, and each thing for which one would refuse it, marked with an exclamation mark and followed by the rule; then the exit code is 1. " +
			"The signature is checked with public keys alone: those of a file (--jwks), of a server (--server), or of a data directory (--data).",
		Example: "  lanyard token inspect < token.txt\n  lanyard token inspect --server http://localhost:8080 --audience orders < token.txt",
	}
	addFlags(cmd, "data", "store", "directory", "listen")
	cmd.Flags().Lookup("listen").Hidden = true
	cmd.Flags().Bool("json", false, "print JSON")
	cmd.Flags().String("jwks", "", "file with the issuer's JWK set")
	cmd.Flags().String("server", "", "address of the issuer, whose published keys and name are used")
	issuer := cmd.Flags().String("issuer", "", "the issuer the token must name (default the server's)")
	audience := cmd.Flags().String("audience", "", "the audience the token must name")
	rs256 := cmd.Flags().Bool("allow-rs256", false, "accept RS256 too")
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		from, err := publishedKeys(cmd)
		if err != nil {
			return err
		}
		text, err := readToken(cmd, args)
		if err != nil {
			return err
		}
		o := token.InspectOptions{Now: time.Now(), Issuer: cmp.Or(*issuer, from.issuer), Audience: *audience, AllowRS256: *rs256}
		if from.keys != nil {
			o.Keys = from.keys
		}
		report := token.InspectWith(text, o)
		err = show(cmd, report, func(w io.Writer) {
			if report.Header != "" || report.Payload != "" {
				fmt.Fprintf(w, "header   %s\npayload  %s\n", report.Header, report.Payload)
			}
			fmt.Fprint(w, report)
		})
		if n := report.Problems(); err == nil && n > 0 {
			return fmt.Errorf("a verifier would refuse this for %d of the reasons above", n)
		}
		return err
	}
	return cmd
}

func tokenVerify() *cobra.Command {
	cmd := &cobra.Command{
		Use: "verify [FILE]", Short: "verify a token with an issuer's public keys", Args: atMostOne,
		Long:    "Verifies a token with a JWK set from a file (see: lanyard keys export-jwks). Exit code 0 means that signature, issuer, audience and times hold; whether its session still lives only the server knows.",
		Example: "  lanyard keys export-jwks > jwks.json\n  lanyard token verify --jwks jwks.json --issuer http://localhost:8080 < token.txt",
	}
	cmd.Flags().Bool("json", false, "print JSON")
	jwks := cmd.Flags().String("jwks", "", "file with the issuer's JWK set (required)")
	issuer := cmd.Flags().String("issuer", "", "the issuer the token must name (required)")
	audience := cmd.Flags().String("audience", "", "the audience the token must name (default the issuer)")
	rs256 := cmd.Flags().Bool("allow-rs256", false, "accept RS256 too")
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		if *jwks == "" || *issuer == "" {
			return usage("--jwks and --issuer are needed")
		}
		set, err := os.ReadFile(*jwks)
		if err != nil {
			return usage("setting jwks: %v", err)
		}
		keys, err := token.ParseJWKS(set)
		if err != nil {
			return usage("setting jwks: %s: %v", *jwks, err)
		}
		if *audience == "" {
			*audience = *issuer
		}
		v, err := token.NewVerifier(token.VerifierConfig{Issuer: *issuer, Audience: *audience, Keys: keys, CacheSize: -1, AllowRS256: *rs256})
		if err != nil {
			return usage("%v", err)
		}
		text, err := readToken(cmd, args)
		if err != nil {
			return err
		}
		claims, err := v.Verify(text)
		if e, ok := errors.AsType[*token.Error](err); ok {
			return fmt.Errorf("the token does not verify (%s): %s", e.Cause, inWords(e.Cause, *issuer, *audience))
		}
		if err != nil {
			return err
		}
		payload := json.RawMessage(token.Inspect(text, time.Now()).Payload)
		return show(cmd, payload, func(w io.Writer) {
			fmt.Fprintf(w, "the token verifies: %s for %s, until %s\n", claims.Subject, strings.Join(claims.Audience, " "), claims.Expiry.Format(time.RFC3339))
		})
	}
	return cmd
}

// inWords says what a cause means to the person who asks.
func inWords(c token.Cause, issuer, audience string) string {
	switch c {
	case token.CauseUnknownKey:
		return "the JWK set has no key with its kid; was the key withdrawn, or the set exported before a rotation?"
	case token.CauseSignature:
		return "its signature does not fit; it was changed, or signed by somebody else"
	case token.CauseIssuer:
		return "it does not come from " + issuer
	case token.CauseAudience:
		return "it is not meant for " + audience
	case token.CauseExpired:
		return "its time is over"
	case token.CauseNotYetValid, token.CauseIssuedInFuture:
		return "its time has not begun; do the clocks agree?"
	}
	return "it is not well formed; lanyard token inspect tells more"
}
