// Package browsertest drives the real pages in real Chromium: the server as the
// command serves it, on a real listener, and a person's clicks and keys. All of
// it is tests.
//
//	go test ./internal/browsertest
//	go test ./internal/browsertest -run Screenshots -screenshots DIR
//
// The second line also writes a picture of every page, in light and dark, on a
// desktop and on a phone. Without Chromium the tests install it where they may
// (Debian as root) or are skipped; with CI=true its absence is a failure.
package browsertest
