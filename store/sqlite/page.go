package sqlite

import (
	"encoding/binary"
	"sync/atomic"

	"github.com/lanyard-go/lanyard"
)

const (
	entryUnit = 16 // entries begin and end at multiples of it
	entryHead = 16 + 8 + 2 + 2
	maxPage   = 64 << 10
	pageUnits = maxPage / entryUnit
	maxPages  = 1<<20 - 1
)

// spot is where an entry is: a page and a unit in it. No entry is at 0, so that
// what a map does not have is nowhere.
type spot uint32

func newSpot(page, offset int) spot { return spot(page*pageUnits+offset/entryUnit) + 1 }
func (s spot) page() int            { return int(s-1) / pageUnits }
func (s spot) offset() int          { return int(s-1) % pageUnits * entryUnit }

// page is a piece of memory with entries one after another. Many may read it at
// once; whoever writes is alone.
type page struct {
	bytes []byte
	read  []atomic.Uint64 // a bit for each unit: the entry there was read
}

func newPage(size int) page {
	return page{make([]byte, 0, size), make([]atomic.Uint64, (size/entryUnit+63)/64)}
}

func (p *page) left() int { return cap(p.bytes) - len(p.bytes) }

func (p *page) entry(offset int) entry { return p.bytes[offset:] }

// use notes that an entry was read. Almost always that is known, and then
// readers on other processors keep what they have of the bits.
func (p *page) use(offset int) {
	word, bit := &p.read[offset/entryUnit/64], uint64(1)<<(offset/entryUnit%64)
	if word.Load()&bit == 0 {
		word.Or(bit)
	}
}

func (p *page) used(offset int) bool {
	return p.read[offset/entryUnit/64].Load()&(1<<(offset/entryUnit%64)) != 0
}

// add appends an entry, for which there is room, and returns its offset.
func (p *page) add(sid lanyard.SID, version int64, body string, size int) int {
	offset := len(p.bytes)
	p.bytes = p.bytes[:offset+size]
	e := p.entry(offset)
	copy(e, sid[:])
	binary.LittleEndian.PutUint16(e[26:], uint16(size/entryUnit))
	e.set(version, body)
	return offset
}

// truncate keeps the first bytes, with nothing marked as read.
func (p *page) truncate(kept int) {
	p.bytes = p.bytes[:kept]
	for i := range p.read {
		p.read[i].Store(0)
	}
}

// entry begins with the SID, the version, the length of the body in bytes and
// the size of all in units.
type entry []byte

func entrySize(body int) int {
	return (entryHead + body + entryUnit - 1) / entryUnit * entryUnit
}

func (e entry) sid() lanyard.SID { return lanyard.SID(e[:16]) }
func (e entry) version() int64   { return int64(binary.LittleEndian.Uint64(e[16:])) }
func (e entry) size() int        { return int(binary.LittleEndian.Uint16(e[26:])) * entryUnit }
func (e entry) room() int        { return e.size() - entryHead }

func (e entry) body() []byte {
	return e[entryHead : entryHead+int(binary.LittleEndian.Uint16(e[24:]))]
}

// set replaces version and body, which fits.
func (e entry) set(version int64, body string) {
	binary.LittleEndian.PutUint64(e[16:], uint64(version))
	binary.LittleEndian.PutUint16(e[24:], uint16(len(body)))
	copy(e[entryHead:], body)
}
