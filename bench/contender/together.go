package contender

import (
	"errors"
	"sync"
)

// together runs do for so many callers at once and returns their errors.
func together(callers int, do func(caller int) error) error {
	errs := make([]error, callers)
	var wg sync.WaitGroup
	for i := range callers {
		wg.Go(func() { errs[i] = do(i) })
	}
	wg.Wait()
	return errors.Join(errs...)
}
