package pgconn

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"github.com/lanyard-go/lanyard/internal/engines"
)

// A standby answers reads with what it has heard so far, so that a revoked
// session would be live there.
//
// req: REVOKE-1
func TestConnectionsGoToPrimariesOnly(t *testing.T) {
	primary, standby := engines.Postgres(t), engines.Postgres(t)
	standby.Shutdown(t)
	if err := os.WriteFile(filepath.Join(standby.Dir, "standby.signal"), nil, 0o644); err != nil {
		t.Fatal(err)
	}
	if err := standby.Start(); err != nil {
		t.Fatal(err)
	}
	if got := standby.Exec(t, "postgres", "SELECT pg_is_in_recovery()"); got[:1] != "t" {
		t.Fatalf("the server is no standby: %q", got)
	}
	for _, row := range []struct {
		hosts string
		good  bool
	}{
		{fmt.Sprintf("127.0.0.1:%d", standby.Port), false},
		{fmt.Sprintf("127.0.0.1:%d", primary.Port), true},
		{fmt.Sprintf("127.0.0.1:%d,127.0.0.1:%d", standby.Port, primary.Port), true},
	} {
		db, err := Open("postgres://postgres@" + row.hosts + "/postgres?sslmode=disable")
		if err != nil {
			t.Fatal(err)
		}
		var port int
		err = db.QueryRow("SELECT current_setting('port')::int").Scan(&port)
		if (err == nil) != row.good || err == nil && port != primary.Port {
			t.Errorf("%s: port %d, error %v; the primary's is %d", row.hosts, port, err, primary.Port)
		}
		if err := db.Close(); err != nil {
			t.Error(err)
		}
	}
}
