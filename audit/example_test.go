package audit_test

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"path/filepath"

	"github.com/lanyard-go/lanyard/audit"
)

// Record two events, and show that one of them is not what it was.
func Example() {
	dir, err := os.MkdirTemp("", "audit")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer func() { _ = os.RemoveAll(dir) }()
	path := filepath.Join(dir, "audit.jsonl")

	file, err := audit.OpenFile(path, audit.FileConfig{})
	if err != nil {
		fmt.Println(err)
		return
	}
	ctx := context.Background()
	for _, e := range []audit.Event{
		{Name: audit.LoginFailed, Subject: "ada", Source: "192.0.2.7", RequestID: "r1"},
		{Name: audit.LoginSucceeded, Subject: "ada", Source: "192.0.2.7", RequestID: "r2", Methods: []string{"pwd"}},
	} {
		if err := file.Record(ctx, e); err != nil {
			fmt.Println(err)
		}
	}
	if err := file.Close(); err != nil {
		fmt.Println(err)
	}

	records, err := audit.Query(path, audit.Filter{Subject: "ada"})
	if err != nil {
		fmt.Println(err)
	}
	for _, r := range records {
		fmt.Println(r.Seq, r.Event.Name, r.Event.Outcome, r.Event.Severity)
	}
	report, err := audit.VerifyFile(path)
	fmt.Println(report.Lines, "lines hold:", err)

	data, _ := os.ReadFile(path)
	_ = os.WriteFile(path, bytes.Replace(data, []byte("192.0.2.7"), []byte("192.0.2.8"), 1), 0o600)
	_, err = audit.VerifyFile(path)
	fmt.Println(err)
	// Output:
	// 1 login_failed failure warning
	// 2 login_succeeded success info
	// 2 lines hold: <nil>
	// audit: chain broken at line 1: edited: the line does not match its hash
}
