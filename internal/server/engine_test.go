package server

import (
	"strings"
	"testing"
)

func TestEnginesThatSettingsName(t *testing.T) {
	for value, want := range map[string]engine{
		"":                                 {onSQLite, "data/sessions.db"},
		"sqlite":                           {onSQLite, "data/sessions.db"},
		"sqlite:/var/x.db":                 {onSQLite, "/var/x.db"},
		"memory:":                          {onMemory, ""},
		"postgres://db/x":                  {onPostgres, "postgres://db/x"},
		"postgresql://db/x":                {onPostgres, "postgresql://db/x"},
		"redis://h:1/0":                    {onRedis, "redis://h:1/0"},
		"rediss://h":                       {onRedis, "rediss://h"},
		"redis-cluster://a:1,b:2,c:3":      {onRedis, "redis-cluster://a:1,b:2,c:3"},
		"redis-sentinel://a:1,b:2/primary": {onRedis, "redis-sentinel://a:1,b:2/primary"},
	} {
		got, err := parseEngine("store", value, "data/sessions.db")
		if err != nil || got != want {
			t.Errorf("%q: %+v, %v, want %+v", value, got, err, want)
		}
	}
	for _, value := range []string{"memory:x", "mysql://root:hunter2@h/x", "sessions.db", "://", "http://h", "host=db user=x password=hunter2"} {
		_, err := parseEngine("store", value, "")
		if err == nil || !strings.HasPrefix(err.Error(), "setting store: ") || strings.Contains(err.Error(), "hunter2") {
			t.Errorf("%q: %v, want an error that names the setting and no password", value, err)
		}
	}
}

func TestAddressesAreShownWithoutPasswords(t *testing.T) {
	for address, want := range map[string]string{
		"sqlite:/var/x.db":                                   "sqlite:/var/x.db",
		"redis://h:1/0":                                      "redis://h:1/0",
		"redis://:hunter2@h:1/0":                             "redis://:...@h:1/0",
		"rediss://ann:hunter2@h":                             "rediss://ann:...@h",
		"rediss://ann@h":                                     "rediss://ann@h",
		"redis-cluster://ann:hunter2@a:1,b:2":                "redis-cluster://ann:...@a:1,b:2",
		"postgres://ann:hun/ter2@db/x":                       "postgres://ann:...@db/x",
		"postgres://ann:hun?ter2@db/x":                       "postgres://ann:...@db/x",
		"postgres://ann:hun@ter2@db/x":                       "postgres://ann:...@db/x",
		"postgres://db/x?password=hunter2&sslmode=a":         "postgres://db/x?password=...&sslmode=a",
		"postgres://db/x?sslpassword=hunter2":                "postgres://db/x?sslpassword=...",
		"postgres://db/x?user=ann&password=hunter2%zz":       "postgres://db/x?...",
		"postgres:///x?host=h&user=app@srv&password=hunter2": "postgres:///x?host=h&password=...&user=app%40srv",
		"postgres://ann:hunter2@db/x?user=app@srv":           "postgres://ann:...@db/x?user=app%40srv",
		"redis-sentinel://h/m?sentinel_password=hunter":      "redis-sentinel://h/m?sentinel_password=...",
	} {
		if got := Hidden(address); got != want {
			t.Errorf("%q is shown as %q, want %q", address, got, want)
		}
	}
}
