package main

import (
	"context"
	"fmt"

	"github.com/lanyard-go/lanyard/bench/contender"
)

// memory weighs live sessions in stores that keep them in memory.
func (b *bench) memory(ctx context.Context, _ string) (section, error) {
	const sessions = 100_000
	ours, err := contender.LanyardHeap(ctx, sessions)
	if err != nil {
		return section{}, err
	}
	scs, err := contender.SCSHeap(ctx, sessions)
	if err != nil {
		return section{}, err
	}
	r := absolute(fmt.Sprintf("heap for each of %d live sessions; scs", sessions), ours.PerSession, bytesEach(scs.PerSession), atMost(500), bytesEach)
	r.Ratio = quotient(ours.PerSession / scs.PerSession)
	return section{
		Title: "Sessions in memory",
		Rows:  []row{r},
		Notes: []string{fmt.Sprintf("The growth of the heap after a collection. Ours includes the indexes by subject, deadline and origin; scs has no index. What is stored of a session is %d bytes in ours, %d in scs.", ours.Payload, scs.Payload)},
	}, nil
}
