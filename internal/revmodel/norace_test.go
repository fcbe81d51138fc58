//go:build !race

package revmodel

const underRace = false
