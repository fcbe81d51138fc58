package server

import "testing"

// What one node has raised another one knows at its start, though it has a data
// directory of its own: a store that was put back revives nobody on either.
func TestTheEpochIsNotedForAllNodes(t *testing.T) {
	a := newSite(t)
	if err := a.s.keepEpoch(t.Context(), 7); err != nil {
		t.Fatal(err)
	}
	cfg := *a.s.cfg
	cfg.Data = t.TempDir()
	b := &Server{cfg: &cfg, dir: a.s.dir}
	if got, err := b.notedEpoch(t.Context()); err != nil || got != 7 {
		t.Errorf("another node knows of epoch %d, %v, want 7", got, err)
	}
	// A node that knows less takes nothing back.
	if err := b.keepEpoch(t.Context(), 3); err != nil {
		t.Fatal(err)
	}
	if got, err := a.s.notedEpoch(t.Context()); err != nil || got != 7 {
		t.Errorf("epoch %d, %v, want 7", got, err)
	}
}
