package storetest

// dice are the random choices of a run that can be repeated: the same seed, the
// same run. They are splitmix64, and no source of secrets.
type dice uint64

// diceFor returns the dice of step i of a run, which do not depend on what other
// steps drew: steps can be left out of a run.
func diceFor(seed uint64, i int) *dice {
	d := dice(seed)
	d = dice(d.next() + uint64(i)*0x9e3779b97f4a7c15)
	return &d
}

func (d *dice) next() uint64 {
	*d += 0x9e3779b97f4a7c15
	z := uint64(*d)
	z = (z ^ z>>30) * 0xbf58476d1ce4e5b9
	z = (z ^ z>>27) * 0x94d049bb133111eb
	return z ^ z>>31
}

// below returns a number from 0 to n-1.
func (d *dice) below(n int) int { return int(d.next() % uint64(n)) }

// chance is true percent times of a hundred.
func (d *dice) chance(percent int) bool { return d.below(100) < percent }

// one returns one of the list, or the zero T of an empty one.
func one[T any](d *dice, list []T) (t T) {
	if len(list) > 0 {
		t = list[d.below(len(list))]
	}
	return t
}
