//go:build race

package browsertest

// cut leaves most of the matrix of forgeries to runs without the race detector,
// under which it takes several times as long.
const cut = true
