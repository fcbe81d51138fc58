package web

import "strconv"

// short is enough of an id to recognise it in a table; the random end differs where the time-ordered start does not.
func short(id string) string {
	const keep = 8
	if len(id) <= keep+1 {
		return id
	}
	return "…" + id[len(id)-keep:]
}

// figure groups the digits of a count by thousands.
func figure(n int) string {
	s := strconv.Itoa(n)
	for i := len(s) - 3; i > 0 && s[i-1] != '-'; i -= 3 {
		s = s[:i] + "," + s[i:]
	}
	return s
}
