package sqlite_test

import (
	"fmt"
	"testing"

	"github.com/lanyard-go/lanyard"
	"github.com/lanyard-go/lanyard/store/storetest"
)

// req: STORE-3, STORE-5
func TestStoreKeepsTheContract(t *testing.T) {
	for _, cfg := range configs {
		t.Run(fmt.Sprintf("exclusive %t", cfg.Exclusive), func(t *testing.T) {
			storetest.Run(t, func(t *testing.T) lanyard.Store { return open(t, cfg) })
		})
	}
}

// req: STORE-3, LIFE-13, LIFE-20
func TestStoreKeepsTheContractUnderContention(t *testing.T) {
	rounds := 50
	if soak() {
		rounds = 10_000
	}
	for _, cfg := range configs {
		t.Run(fmt.Sprintf("exclusive %t", cfg.Exclusive), func(t *testing.T) {
			storetest.Contend(t, func(t *testing.T) lanyard.Store { return open(t, cfg) }, rounds)
		})
	}
}
