//go:build race

package revmodel

// The search is one goroutine; the race detector only makes it slow.
const underRace = true
