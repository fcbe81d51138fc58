package contender

import (
	"errors"
	"sync"
	"sync/atomic"
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

// share lets so many callers do something n times in all.
func share(callers, n int, do func(caller int) error) error {
	var left atomic.Int64
	left.Store(int64(n))
	return together(callers, func(caller int) error {
		for left.Add(-1) >= 0 {
			if err := do(caller); err != nil {
				return err
			}
		}
		return nil
	})
}
