// Goredis keeps sessions in Redis with the client go-redis. The store knows no
// client; the dozen lines of [command] are all that another one needs.
//
//	go run . -redis redis://127.0.0.1:6379
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"

	goredis "github.com/redis/go-redis/v9"

	"github.com/lanyard-go/lanyard/store/redis"
)

func main() {
	address := flag.String("redis", "redis://127.0.0.1:6379", "the server's `URL`")
	flag.Parse()
	if err := run(context.Background(), *address); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run(ctx context.Context, address string) error {
	client, err := connect(address)
	if err != nil {
		return err
	}
	defer client.Close()
	store, err := redis.New(ctx, redis.Config{Do: command(client), Subscribe: subscribe(client)})
	if err != nil {
		return err
	}
	warnings, err := store.Inspect(ctx)
	if err != nil {
		return err
	}
	for _, warning := range warnings {
		fmt.Println("note:", warning)
	}
	n, err := store.Count(ctx, 0)
	if err != nil {
		return err
	}
	fmt.Println("live sessions:", n)
	return nil
}

// connect switches off the client's retries: a command whose answer was lost may
// have happened, and the store says so instead of taking the step twice.
func connect(address string) (*goredis.Client, error) {
	options, err := goredis.ParseURL(address)
	if err != nil {
		return nil, errors.New("the URL of the server cannot be read") // the text may hold a password
	}
	options.MaxRetries = -1
	options.ContextTimeoutEnabled = true
	return goredis.NewClient(options), nil
}

// command lets the store use the client, which may be one for a Cluster too.
func command(client goredis.UniversalClient) redis.Command {
	return func(ctx context.Context, cmd []string, _ int) (any, error) {
		args := make([]any, len(cmd))
		for i, word := range cmd {
			args[i] = word
		}
		reply, err := client.Do(ctx, args...).Result()
		if errors.Is(err, goredis.Nil) {
			return nil, nil
		}
		if m, ok := reply.(map[any]any); ok {
			var pairs []any
			for name, value := range m {
				pairs = append(pairs, name, value)
			}
			reply = pairs
		}
		return reply, err
	}
}

// subscribe lets readers of the feed wake up at once.
func subscribe(client goredis.UniversalClient) func(context.Context, string, func()) error {
	return func(ctx context.Context, channel string, heard func()) error {
		sub := client.Subscribe(ctx, channel)
		defer sub.Close()
		messages := sub.Channel()
		for {
			select {
			case <-messages:
				heard()
			case <-ctx.Done():
				return ctx.Err()
			}
		}
	}
}
