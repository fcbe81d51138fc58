package password_test

import (
	"context"
	"errors"
	"fmt"

	"github.com/lanyard-go/lanyard/password"
)

func ExampleHasher_Verify() {
	ctx := context.Background()
	hasher, err := password.New(password.Config{})
	if err != nil {
		panic(err)
	}
	// From another system, where passwords were hashed with bcrypt.
	stored := "$2b$04$abcdefghijklmnopqrstuu7EJV7kdjBBQxyb0HjTh9KS7.Lah/6CG"

	for range 2 {
		match, stale, err := hasher.Verify(ctx, stored, "correct horse battery staple")
		if err != nil {
			panic(err)
		}
		fmt.Println("match:", match, "stale:", stale)
		if stale {
			if stored, err = hasher.Hash(ctx, "correct horse battery staple"); err != nil {
				panic(err)
			}
		}
	}
	fmt.Println(stored[:30])
	// Output:
	// match: true stale: true
	// match: true stale: false
	// $argon2id$v=19$m=19456,t=2,p=1
}

func ExamplePolicy_Check() {
	policy := password.Policy{Words: []string{"Acme"}}
	err := policy.Check(context.Background(), "alice at acme 1", "alice@example.org")
	if problem, ok := errors.AsType[*password.Problem](err); ok {
		fmt.Println(problem.Code)
		fmt.Println(problem.Message)
	}
	// Output:
	// context
	// This password contains "alice", which is easy to guess for you or this service, and is too short without it.
}
