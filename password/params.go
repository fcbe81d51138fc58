package password

import (
	"errors"
	"fmt"
)

const (
	defaultMemory  = 19456
	defaultTime    = 2
	defaultThreads = 1

	saltBytes = 16
	tagBytes  = 32
)

// Params is the cost of an argon2id hash (RFC 9106 section 3.1). A field left
// zero takes its default, which together are 19456 KiB, 2 passes, 1 thread:
// about 25 ms of one core.
type Params struct {
	Memory  uint32 // KiB
	Time    uint32 // passes over the memory
	Threads uint8  // lanes; each can use a core
}

func (p Params) withDefaults() Params {
	if p.Memory == 0 {
		p.Memory = defaultMemory
	}
	if p.Time == 0 {
		p.Time = defaultTime
	}
	if p.Threads == 0 {
		p.Threads = defaultThreads
	}
	return p
}

// floor returns the least memory in KiB that OWASP ASVS 5.0 Appendix C accepts
// for a number of passes.
func floor(time uint32) uint32 {
	switch {
	case time <= 1:
		return 47104
	case time == 2:
		return 19456
	default:
		return 12288
	}
}

// validate refuses what is too weak to protect a password, and what is so
// expensive that the hasher would refuse to verify its own hashes.
func (p Params) validate() error {
	if least := floor(p.Time); p.Memory < least {
		return fmt.Errorf("memory %d KiB is too little for time %d: at least %d", p.Memory, p.Time, least)
	}
	return p.affordable()
}

// affordable refuses costs that would let one stored hash take the machine's
// memory, or a core for much more than a second.
func (p Params) affordable() error {
	switch {
	case p.Time == 0:
		return errors.New("time is zero")
	case p.Threads == 0:
		return errors.New("threads is zero")
	case p.Threads > maxThreads:
		return fmt.Errorf("threads %d is over the limit of %d", p.Threads, maxThreads)
	case p.Memory < 8*uint32(p.Threads): // RFC 9106 section 3.1
		return fmt.Errorf("memory %d KiB is under 8 KiB for each thread", p.Memory)
	case p.Memory > maxMemory:
		return fmt.Errorf("memory %d KiB is over the limit of %d", p.Memory, maxMemory)
	case uint64(p.Memory)*uint64(p.Time) > maxPasses:
		return fmt.Errorf("memory %d KiB times time %d is over the limit of %d", p.Memory, p.Time, maxPasses)
	}
	return nil
}
