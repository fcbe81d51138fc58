package password

// repeated returns the shortest piece that text is made of more than once, or
// nothing. The last round may stop short, as in "abcabcab".
func repeated(text string) string {
	runes := []rune(text)
	for n := 1; n <= len(runes)/2; n++ {
		if period(runes, n) {
			return string(runes[:n])
		}
	}
	return ""
}

func period(runes []rune, n int) bool {
	for i := n; i < len(runes); i++ {
		if runes[i] != runes[i-n] {
			return false
		}
	}
	return true
}
