package requirements

import (
	"maps"
	"slices"
	"testing"
)

func TestUpdateKeepsReasonsAndDropsWhatIsProven(t *testing.T) {
	before := []piece{
		{"Binding", map[string]string{"DPOP-1": "no DPoP yet.", "DPOP-2": "no DPoP yet."}},
		{"Browser", map[string]string{"CLIENT-3": "no helper yet."}},
	}
	after := updated(before, map[string]bool{"DPOP-1": true, "CLIENT-3": true, "SID-8": true})
	if len(after) != 3 || !maps.Equal(after[0].rows, map[string]string{"DPOP-1": "no DPoP yet."}) ||
		!maps.Equal(after[1].rows, before[1].rows) || after[2].title != unassigned || after[2].rows["SID-8"] == "" {
		t.Errorf("got %v", after)
	}
}

func TestSplitIDsRefusesWhatIsNoID(t *testing.T) {
	if ids, err := splitIDs("COOKIE-1, SID-12"); err != nil || !slices.Equal(ids, []string{"COOKIE-1", "SID-12"}) {
		t.Errorf("got %v, %v", ids, err)
	}
	for _, list := range []string{"", "cookie-1", "COOKIE", "COOKIE-1 SID-2", "COOKIE-1,", "COOKIE-1 (part)"} {
		if ids, err := splitIDs(list); err == nil {
			t.Errorf("%q was read as %v", list, ids)
		}
	}
}

func TestSectionNeedsText(t *testing.T) {
	sentence := "A section that says something says it in more than a heading and a handful of words.\n"
	for _, tt := range []struct {
		name, section string
		want          bool
	}{
		{"a heading and a sentence", "\n## Duties\n\n" + sentence, true},
		{"a heading alone", "\n## Duties\n\n## Next\n\n" + sentence, false},
		{"a promise to write it", "\n## Duties\n\nTo come.\n\n## Next\n\n" + sentence, false},
		{"the end of the file", "\n", false},
	} {
		if got := hasText(tt.section); got != tt.want {
			t.Errorf("%s: got %v", tt.name, got)
		}
	}
}
