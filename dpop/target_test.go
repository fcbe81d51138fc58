package dpop

import "testing"

// req: DPOP-9
func TestTargetsAreComparedAfterNormalisation(t *testing.T) {
	const here = "https://api.example/a/b~c"
	tests := []struct {
		name, other string
		same        bool
	}{
		{"the same text", here, true},
		{"query left out of one", here + "?q=1&r=/", true},
		{"fragment", here + "#f", true},
		{"scheme and host in capitals", "HTTPS://API.Example/a/b~c", true},
		{"the default port", "https://api.example:443/a/b~c", true},
		{"an empty port", "https://api.example:/a/b~c", true},
		{"an escape that is not needed", "https://api.example/%61/b%7Ec", true},
		{"the same escape in small letters", "https://api.example/a/b%7ec", true},
		{"dot segments", "https://api.example/x/../a/./b~c", true},
		{"escaped dot segments", "https://api.example/x/%2e%2E/a/b~c", true},
		{"dot segments above the root", "https://api.example/../../a/b~c", true},

		{"another scheme", "http://api.example/a/b~c", false},
		{"another port", "https://api.example:8443/a/b~c", false},
		{"the other scheme's port", "https://api.example:80/a/b~c", false},
		{"another host", "https://api.example.evil/a/b~c", false},
		{"a host with a dot at its end", "https://api.example./a/b~c", false},
		{"path in capitals", "https://api.example/A/b~c", false},
		{"a slash more", "https://api.example/a/b~c/", false},
		{"two slashes", "https://api.example//a/b~c", false},
		{"an escaped slash is no slash", "https://api.example/a%2Fb~c", false},
		{"a prefix", "https://api.example/a", false},
		{"a user name", "https://u@api.example/a/b~c", false},
		{"a path alone", "/a/b~c", false},
		{"no scheme", "//api.example/a/b~c", false},
		{"no host", "https:///a/b~c", false},
		{"a broken escape", "https://api.example/a/b%7", false},
		{"a blank", "https://api.example/a/b~c ", false},
		{"a backslash", `https://api.example\a\b~c`, false},
		{"letters beyond ASCII", "https://äpi.example/a/b~c", false},
		{"a port of letters", "https://api.example:https/a/b~c", false},
		{"nothing", "", false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if got := sameTarget(tt.other, here); got != tt.same {
				t.Errorf("%q: %v", tt.other, got)
			}
			if got := sameTarget(here, tt.other); got != tt.same {
				t.Errorf("the other way round %q: %v", tt.other, got)
			}
		})
	}
	for _, pair := range [][2]string{
		{"https://api.example", "https://api.example/"},
		{"https://api.example?x", "https://api.example/"},
		{"https://[2001:DB8::0:1]:443/p", "https://[2001:db8::1]/p"},
		{"https://api.example/%c3%a4", "https://api.example/%C3%A4"},
		{"https://api.example/a/..", "https://api.example/"},
		{"https://api.example/a/.", "https://api.example/a/"},
	} {
		if !sameTarget(pair[0], pair[1]) {
			t.Errorf("%s and %s are the same", pair[0], pair[1])
		}
	}
	// The same text twice is still nothing if it is no address.
	for _, bad := range []string{"", "/p", "ftp://api.example/p", "https://", "https://[::1/p", "https://[fe80::1%25eth0]/p", "https://[1.2.3.4]/p", "https://a b/p"} {
		if sameTarget(bad, bad) {
			t.Errorf("%q is no address", bad)
		}
	}
}

// FuzzTarget holds the quick way and the slow way together.
func FuzzTarget(f *testing.F) {
	for _, s := range []string{"https://api.example/a/../b%7e", "http://[::1]:80/", "https://h:443/%2e%2e/x?y#z", "https://a//b/./", "x", "http://:", "http://h:x/"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		once, ok := normalTarget(bare(s))
		if same := sameTarget(s, s); same != ok {
			t.Fatalf("%q is itself: %v; normal: %v", s, same, ok)
		}
		if !ok {
			return
		}
		if twice, again := normalTarget(once); !again || twice != once {
			t.Fatalf("%q becomes %q and then %q", s, once, twice)
		}
		if !sameTarget(s, once) {
			t.Fatalf("%q is not its own form %q", s, once)
		}
	})
}
