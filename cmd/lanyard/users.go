package main

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"net/url"
	"os"
	"strings"
	"text/tabwriter"

	"github.com/spf13/cobra"
	"golang.org/x/term"

	"github.com/lanyard-go/lanyard/api"
)

func usersCommand() *cobra.Command {
	cmd := group("users", "the built-in directory of users", "  lanyard users list")
	cmd.AddCommand(usersAdd(), usersList(), usersToggle("disable", "close an account and end its sessions"), usersToggle("enable", "open an account again"),
		usersPasswd(), usersImport(), usersReset())
	return cmd
}

// group is a command that only holds others.
func group(name, short, example string) *cobra.Command {
	return &cobra.Command{Use: name, Short: short, Example: example, RunE: func(cmd *cobra.Command, args []string) error {
		if len(args) > 0 {
			return usage("unknown command %q; see %s --help", args[0], cmd.CommandPath())
		}
		return cmd.Help()
	}}
}

func exactly(n int) cobra.PositionalArgs {
	return func(cmd *cobra.Command, args []string) error {
		if len(args) != n {
			return usage("%s takes %d arguments, not %d; see %s --help", cmd.CommandPath(), n, len(args), cmd.CommandPath())
		}
		return nil
	}
}

func usersAdd() *cobra.Command {
	cmd := &cobra.Command{
		Use: "add NAME", Short: "add a user",
		Long:    "Adds a user. With --password-stdin the password is read from standard input; on a terminal it is asked for. With neither, a one-time link to choose one is printed.",
		Example: "  echo 'correct horse battery staple' | lanyard users add ada --password-stdin --admin",
		Args:    exactly(1),
	}
	adminFlags(cmd)
	fromStdin := cmd.Flags().Bool("password-stdin", false, "read the password from standard input")
	admin := cmd.Flags().Bool("admin", false, "make the user an administrator")
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		pw, err := password(cmd, *fromStdin)
		if err != nil {
			return err
		}
		return withCaller(cmd, func(c *caller) error {
			if pw == "" || c.remote {
				if pw != "" {
					return usage("passwords are not sent to a server elsewhere; leave out --password-stdin and give the printed link to the person")
				}
				var out api.UserAdded
				if err := c.call(cmd.Context(), "POST", "/v1/admin/users", api.UserRequest{Name: args[0], Admin: *admin}, &out); err != nil {
					return fmt.Errorf("adding user %s: %w", args[0], err)
				}
				return show(cmd, out, func(w io.Writer) { fmt.Fprintf(w, "added %s; to choose a password: %s\n", out.User.Name, out.ResetURL) })
			}
			var out api.User
			in := map[string]any{"name": args[0], "password": pw, "admin": *admin}
			if err := c.call(cmd.Context(), "POST", "/local/users", in, &out); err != nil {
				return fmt.Errorf("adding user %s: %w", args[0], err)
			}
			return show(cmd, out, func(w io.Writer) { fmt.Fprintf(w, "added %s\n", out.Name) })
		})
	}
	return cmd
}

// password reads a password from standard input, whole but for the line end, or
// asks for it twice on a terminal. Empty means none was given.
func password(cmd *cobra.Command, fromStdin bool) (string, error) {
	if fromStdin {
		line, err := bufio.NewReader(io.LimitReader(cmd.InOrStdin(), 4096)).ReadString('\n')
		if err != nil && !errors.Is(err, io.EOF) {
			return "", fmt.Errorf("reading the password: %w", err)
		}
		line = strings.TrimSuffix(strings.TrimSuffix(line, "\n"), "\r")
		if line == "" {
			return "", usage("standard input held no password")
		}
		return line, nil
	}
	f, ok := cmd.InOrStdin().(*os.File)
	if !ok || !term.IsTerminal(int(f.Fd())) {
		return "", nil
	}
	ask := func(prompt string) (string, error) {
		fmt.Fprint(cmd.ErrOrStderr(), prompt)
		b, err := term.ReadPassword(int(f.Fd()))
		fmt.Fprintln(cmd.ErrOrStderr())
		return string(b), err
	}
	one, err := ask("password (empty for a link to choose one): ")
	if err != nil || one == "" {
		return "", err
	}
	two, err := ask("again: ")
	if err == nil && one != two {
		err = errors.New("the two passwords differ; nothing was done")
	}
	return one, err
}

func usersList() *cobra.Command {
	cmd := &cobra.Command{Use: "list", Short: "list users", Example: "  lanyard users list --json", Args: exactly(0)}
	adminFlags(cmd)
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		return withCaller(cmd, func(c *caller) error {
			list := []api.User{}
			for cursor := ""; ; {
				var page api.Users
				if err := c.call(cmd.Context(), "GET", "/v1/admin/users?limit=1000&cursor="+url.QueryEscape(cursor), nil, &page); err != nil {
					return err
				}
				list = append(list, page.Users...)
				if cursor = page.Next; cursor == "" {
					break
				}
			}
			return show(cmd, list, func(w io.Writer) {
				t := tabwriter.NewWriter(w, 0, 4, 2, ' ', 0)
				fmt.Fprintln(t, "NAME\tROLE\tSTATE\tLAST LOGIN")
				for _, u := range list {
					role, state, last := "user", "active", "never"
					if u.Admin {
						role = "admin"
					}
					switch {
					case u.Disabled:
						state = "disabled"
					case u.Pending:
						state = "no password yet"
					}
					if u.LastLogin != nil {
						last = u.LastLogin.Format("2006-01-02 15:04")
					}
					fmt.Fprintf(t, "%s\t%s\t%s\t%s\n", u.Name, role, state, last)
				}
				t.Flush()
			})
		})
	}
	return cmd
}

func usersToggle(word, short string) *cobra.Command {
	cmd := &cobra.Command{Use: word + " NAME", Short: short, Example: "  lanyard users " + word + " ada", Args: exactly(1)}
	adminFlags(cmd)
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		return withCaller(cmd, func(c *caller) error {
			var out api.User
			if err := c.call(cmd.Context(), "POST", "/v1/admin/users/"+url.PathEscape(args[0])+"/"+word, nil, &out); err != nil {
				return fmt.Errorf("user %s: %w", args[0], err)
			}
			return show(cmd, out, func(w io.Writer) { fmt.Fprintf(w, "%sd %s\n", word, out.Name) })
		})
	}
	return cmd
}

func usersPasswd() *cobra.Command {
	cmd := &cobra.Command{
		Use: "passwd NAME", Short: "set a user's password and end their sessions",
		Example: "  echo 'correct horse battery staple' | lanyard users passwd ada --password-stdin", Args: exactly(1),
	}
	adminFlags(cmd)
	fromStdin := cmd.Flags().Bool("password-stdin", false, "read the password from standard input")
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		pw, err := password(cmd, *fromStdin)
		if err != nil {
			return err
		}
		if pw == "" {
			return usage("no password was given; use --password-stdin, or: lanyard users reset %s", args[0])
		}
		return withCaller(cmd, func(c *caller) error {
			if c.remote {
				return usage("passwords are not sent to a server elsewhere; use: lanyard users reset %s", args[0])
			}
			if err := c.call(cmd.Context(), "POST", "/local/users/"+url.PathEscape(args[0])+"/password", map[string]string{"password": pw}, nil); err != nil {
				return fmt.Errorf("user %s: %w", args[0], err)
			}
			return show(cmd, map[string]string{"name": args[0]}, func(w io.Writer) {
				fmt.Fprintf(w, "the password of %s is changed; their sessions have ended\n", args[0])
			})
		})
	}
	return cmd
}

func usersImport() *cobra.Command {
	cmd := &cobra.Command{
		Use: "import FILE", Short: "add users who bring the hash of their password",
		Long: `Adds users from JSON lines, "-" for standard input:

  {"name":"ada","hash":"$2b$10$...","admin":false,"disabled":false}

Hashes of argon2id, bcrypt, scrypt and PBKDF2 are taken and replaced by argon2id
at the person's next login. Either all lines are imported or none.`,
		Example: "  lanyard users import users.jsonl", Args: exactly(1),
	}
	adminFlags(cmd)
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		in := cmd.InOrStdin()
		if args[0] != "-" {
			f, err := os.Open(args[0])
			if err != nil {
				return err
			}
			defer f.Close()
			in = f
		}
		return withCaller(cmd, func(c *caller) error {
			if c.remote {
				return usage("hashes are not sent to a server elsewhere; run this on the server's machine")
			}
			var out map[string]int
			if err := c.call(cmd.Context(), "POST", "/local/users/import", in, &out); err != nil {
				return fmt.Errorf("importing %s: %w", args[0], err)
			}
			return show(cmd, out, func(w io.Writer) { fmt.Fprintf(w, "imported %d users\n", out["users"]) })
		})
	}
	return cmd
}

func usersReset() *cobra.Command {
	cmd := &cobra.Command{Use: "reset NAME", Short: "print a one-time link to choose a new password", Example: "  lanyard users reset ada", Args: exactly(1)}
	adminFlags(cmd)
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		return withCaller(cmd, func(c *caller) error {
			var out api.UserAdded
			if err := c.call(cmd.Context(), "POST", "/v1/admin/users/"+url.PathEscape(args[0])+"/reset", nil, &out); err != nil {
				return fmt.Errorf("user %s: %w", args[0], err)
			}
			return show(cmd, out, func(w io.Writer) {
				fmt.Fprintf(w, "%s\nvalid once, until %s\n", out.ResetURL, out.ExpiresAt.Format("15:04 MST"))
			})
		})
	}
	return cmd
}
