package directory_test

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"log"

	_ "modernc.org/sqlite"

	"github.com/lanyard-go/lanyard/internal/directory"
	"github.com/lanyard-go/lanyard/password"
)

func Example() {
	ctx := context.Background()
	db, err := sql.Open("sqlite", "file:example?mode=memory&_pragma=busy_timeout(5000)")
	if err != nil {
		log.Fatal(err)
	}
	defer db.Close()
	db.SetMaxOpenConns(1) // each connection to :memory: is a database of its own

	hasher, err := password.New(password.Config{})
	if err != nil {
		log.Fatal(err)
	}
	d, err := directory.Open(ctx, db, directory.Config{Hasher: hasher})
	if err != nil {
		log.Fatal(err)
	}
	if _, err := d.AddUser(ctx, directory.NewUser{Name: "Ada", Password: "correct horse battery staple"}); err != nil {
		log.Fatal(err)
	}

	u, err := d.Authenticate(ctx, directory.Attempt{Name: "ada", Password: "correct horse battery staple", Source: "192.0.2.1"})
	fmt.Println(u.Name, err)

	_, err = d.Authenticate(ctx, directory.Attempt{Name: "ada", Password: "a guess", Source: "198.51.100.1"})
	fmt.Println(errors.Is(err, directory.ErrInvalidCredentials))
	// Output:
	// Ada <nil>
	// true
}
