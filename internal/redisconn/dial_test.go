package redisconn

import (
	"context"
	"net"
	"testing"
)

// A Cluster or a Sentinel may announce an address of another machine.
//
// req: STORE-6
func TestNothingIsDialledInTheClearBeyondThisMachine(t *testing.T) {
	for address, private := range map[string]bool{
		"127.0.0.1:6379": true, "[::1]:6379": true, "[::ffff:127.0.0.1]:6379": true,
		"192.0.2.1:6379": false, "10.0.0.1:6379": false, "[2001:db8::1]:6379": false, "0.0.0.0:6379": false,
	} {
		peer, err := net.ResolveTCPAddr("tcp", address)
		if err != nil {
			t.Fatal(err)
		}
		if got := local(peer); got != private {
			t.Errorf("%s is of this machine: %v, want %v", address, got, private)
		}
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	conn, err := dial(context.Background(), l.Addr().String(), &net.Dialer{}, nil, false)
	if err != nil {
		t.Fatal(err)
	}
	conn.Close()
}
