package memory_test

import (
	"os"
	"testing"

	"github.com/lanyard-go/lanyard/store/storetest"
)

// req: STORE-3, STORE-4, LIFE-20
func TestModel(t *testing.T) {
	ops := 160_000
	if os.Getenv("LANYARD_SOAK") == "1" {
		ops = 8_000_000
	}
	storetest.Model(t, open, 1, ops)
}
