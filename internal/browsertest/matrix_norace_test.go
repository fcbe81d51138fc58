//go:build !race

package browsertest

const cut = false
