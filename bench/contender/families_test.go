package contender

import "testing"

func TestFamiliesAreRefreshedWithOneWriteEach(t *testing.T) {
	f, err := NewFamilies(t.Context(), LanyardSQLite, Base{Dir: t.TempDir()}, 8)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	first := f.grants[0].Refresh.Reveal()
	if err := f.Refresh(t.Context(), 80); err != nil {
		t.Fatal(err)
	}
	if n := f.Writes(); n != 80 || f.grants[0].Refresh.Reveal() == first {
		t.Errorf("80 refreshes wrote %d times", n)
	}
	if err := f.Introspect(t.Context(), 80); err != nil || f.Writes() != 80 {
		t.Errorf("introspection: %v, and %d writes", err, f.Writes())
	}
}
