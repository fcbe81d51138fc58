package server

import (
	"net/netip"
	"strings"

	"github.com/oschwald/maxminddb-golang/v2"
)

// places tells roughly where an address is, from a database that the operator
// brings. Without one it knows no place.
type places struct{ db *maxminddb.Reader }

func openPlaces(path string) (*places, error) {
	if path == "" {
		return &places{}, nil
	}
	db, err := maxminddb.Open(path)
	if err != nil {
		return nil, wrong("geo-database", "%v", err)
	}
	return &places{db}, nil
}

// Close gives the database back.
func (p *places) Close() error {
	if p.db == nil {
		return nil
	}
	return p.db.Close()
}

// name returns "City, Country", as much of it as is known.
func (p *places) name(ip string) string {
	addr, err := netip.ParseAddr(ip)
	if p.db == nil || err != nil {
		return ""
	}
	var record struct {
		City struct {
			Names map[string]string `maxminddb:"names"`
		} `maxminddb:"city"`
		Country struct {
			Names map[string]string `maxminddb:"names"`
		} `maxminddb:"country"`
	}
	if p.db.Lookup(addr).Decode(&record) != nil {
		return ""
	}
	parts := make([]string, 0, 2)
	for _, name := range []string{record.City.Names["en"], record.Country.Names["en"]} {
		if name != "" {
			parts = append(parts, name)
		}
	}
	return strings.Join(parts, ", ")
}
