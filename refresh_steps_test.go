package lanyard_test

import (
	"testing"
	"time"

	"github.com/lanyard-go/lanyard"
	"github.com/lanyard-go/lanyard/store/memory"
)

// refreshStep is one thing that happens to a family, whatever happened before.
type refreshStep struct {
	name string
	do   func(*bout)
}

func from(ip string) func(*presented)   { return func(p *presented) { p.ip = ip } }
func by(agent string) func(*presented)  { return func(p *presented) { p.agent = agent } }
func client(id string) func(*presented) { return func(p *presented) { p.client = id } }

var refreshSteps = []refreshStep{
	{"rotate", func(b *bout) { b.present(b.use(0)) }},
	{"rotate from the train", func(b *bout) { b.present(b.use(0, from(trainIP))) }},
	{"rotate by another user agent", func(b *bout) { b.present(b.use(0, by("curl/8"))) }},
	{"retry", func(b *bout) { b.present(b.use(1)) }},
	{"retry from the same range", func(b *bout) { b.present(b.use(1, from(homeToo))) }},
	{"retry from the train", func(b *bout) { b.present(b.use(1, from(trainIP))) }},
	{"retry from the hotel", func(b *bout) { b.present(b.use(1, from(hotelIP))) }},
	{"retry from nowhere known", func(b *bout) { b.present(b.use(1, from(""))) }},
	{"retry by another user agent", func(b *bout) { b.present(b.use(1, by("curl/8"))) }},
	{"replay of the one before", func(b *bout) { b.present(b.use(2)) }},
	{"replay of the first", func(b *bout) { b.present(b.use(len(b.hand))) }},
	{"2 s pass", func(b *bout) { b.clock.advance(2 * time.Second) }},
	{"28 s pass", func(b *bout) { b.clock.advance(28 * time.Second) }},
	{"three callers with the newest", func(b *bout) { b.parallel(b.use(0)) }},
	{"three callers with its predecessor", func(b *bout) { b.parallel(b.use(1)) }},
	{"three callers with its predecessor from the train", func(b *bout) { b.parallel(b.use(1, from(trainIP))) }},
	{"crash before the answer", func(b *bout) { b.crash(b.use(0)) }},
	{"crash before the answer to a retry from the train", func(b *bout) { b.crash(b.use(1, from(trainIP))) }},
	{"the store refuses", func(b *bout) { b.outage(b.use(0)) }},
	{"the store forgets", func(b *bout) { b.regress(b.use(0)) }},
	{"another client", func(b *bout) { b.present(b.use(0, client("other"))) }},
	{"another client replays", func(b *bout) { b.present(b.use(2, client("other"))) }},
	{"more scope", func(b *bout) { b.present(b.use(0, func(p *presented) { p.scope = "admin" })) }},
	{"garbage", func(b *bout) { b.present(b.use(0, func(p *presented) { p.text = "garbage" })) }},
	{"logout", (*bout).logout},
	{"the user is disabled", func(b *bout) { *b.off, b.model.disabled = true, true }},
	{"step-up", (*bout).stepUp},
	{"a rotation repeated after just 2 s", func(b *bout) {
		b.present(b.use(0))
		b.clock.advance(2 * time.Second)
		b.present(b.use(1))
	}},
	{"eight rotations, each repeated late", func(b *bout) {
		for range 8 {
			b.present(b.use(0))
			b.clock.advance(3 * time.Second)
			b.present(b.use(1))
		}
	}},
}

func (b *bout) logout() {
	b.t.Helper()
	if b.model.over == "" {
		b.end(b.sid)
		b.model.over = "refused-ended"
	}
}

// play runs an order of steps and compares after each.
func play(t *testing.T, store lanyard.Store, profileName string, order []int) {
	t.Helper()
	b := newBout(t, store, profileName)
	done := false
	defer func() {
		if !done {
			for _, step := range order {
				t.Logf("step: %s", refreshSteps[step].name)
			}
		}
	}()
	for _, step := range order {
		refreshSteps[step].do(b)
		b.check()
	}
	got, want := b.bearerWorks(b.last), b.model.over == ""
	if b.clock.Now().Sub(b.granted) > time.Minute {
		want = got // it may have expired, as it should
	}
	if got != want {
		t.Fatalf("the newest access token works: %v, the model says %v", got, want)
	}
	done = true
}

// everyOrder plays every order of so many steps.
func everyOrder(t *testing.T, length int, open func(*testing.T) lanyard.Store) {
	for _, profileName := range []string{"standard", "strict"} {
		t.Run(profileName, func(t *testing.T) {
			t.Parallel()
			store := open(t)
			order, played := make([]int, length), 0
			for more := true; more; more = nextOrder(order) {
				play(t, store, profileName, order)
				played++
			}
			t.Logf("%d orders of %d steps", played, length)
		})
	}
}

// nextOrder counts up in the base of the number of steps.
func nextOrder(order []int) bool {
	for i := range order {
		if order[i]++; order[i] < len(refreshSteps) {
			return true
		}
		order[i] = 0
	}
	return false
}

// longOrders plays orders of many steps, drawn from a seed.
func longOrders(t *testing.T, plays int, open func(*testing.T) lanyard.Store) {
	for _, profileName := range []string{"standard", "strict"} {
		t.Run(profileName, func(t *testing.T) {
			t.Parallel()
			store := open(t)
			for i := range plays {
				d := dice(i)
				order := make([]int, 4+d.below(16))
				for k := range order {
					order[k] = d.below(len(refreshSteps))
				}
				play(t, store, profileName, order)
			}
		})
	}
}

// dice are splitmix64: the same seed, the same run, and no source of secrets.
type dice uint64

func (d *dice) below(n int) int {
	*d += 0x9e3779b97f4a7c15
	z := uint64(*d)
	z = (z ^ z>>30) * 0xbf58476d1ce4e5b9
	z = (z ^ z>>27) * 0x94d049bb133111eb
	return int((z ^ z>>31) % uint64(n))
}

// req: REFRESH-1, REFRESH-2, REFRESH-3, REFRESH-4, REFRESH-7
func TestRefreshFollowsItsTableInEveryOrder(t *testing.T) {
	memoryStore := func(*testing.T) lanyard.Store { return memory.New() }
	length := 2
	if soak() > 1 {
		length = 3
	}
	t.Run("every short order", func(t *testing.T) { everyOrder(t, length, memoryStore) })
	t.Run("long orders", func(t *testing.T) { longOrders(t, 300*soak(), memoryStore) })
}

// req: REFRESH-1, REFRESH-2, REFRESH-3, REFRESH-4, REFRESH-7
func TestRefreshFollowsItsTableOnSQLite(t *testing.T) {
	if soak() > 1 {
		t.Run("every short order", func(t *testing.T) { everyOrder(t, 2, openSQLite) })
	}
	t.Run("long orders", func(t *testing.T) { longOrders(t, 100*soak(), openSQLite) })
}
