package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/pelletier/go-toml/v2"
	"github.com/spf13/cobra"

	"github.com/lanyard-go/lanyard/internal/server"
)

// setting is one field of server.Config with the ways to give it.
type setting struct {
	name   string // as in the flag
	help   string
	preset string
	index  []int
	kind   reflect.Type
	source string // where the value came from
}

func (s *setting) env() string {
	return "LANYARD_" + strings.ToUpper(strings.ReplaceAll(s.name, "-", "_"))
}
func (s *setting) key() string { return strings.ReplaceAll(s.name, "-", "_") }

// settings lists the fields of server.Config in their order.
func settings() []*setting {
	var out []*setting
	for f := range reflect.TypeFor[server.Config]().Fields() {
		if name := f.Tag.Get("setting"); name != "" {
			out = append(out, &setting{name: name, help: f.Tag.Get("help"), preset: f.Tag.Get("default"), index: f.Index, kind: f.Type, source: "default"})
		}
	}
	return out
}

// addFlags declares flags for the settings named, or for all.
func addFlags(cmd *cobra.Command, names ...string) {
	for _, s := range settings() {
		if len(names) > 0 && !slices.Contains(names, s.name) {
			continue
		}
		help := s.help + " (" + s.env() + ")"
		if s.preset != "" {
			help += " (default " + s.preset + ")"
		}
		switch {
		case s.kind == reflect.TypeFor[bool]():
			cmd.Flags().Bool(s.name, false, help)
		case s.kind.Kind() == reflect.Slice:
			cmd.Flags().StringSlice(s.name, nil, help)
		default:
			cmd.Flags().String(s.name, "", help)
		}
	}
	cmd.Flags().String("config", "", "settings file (LANYARD_CONFIG) (default lanyard.toml, if it is there)")
}

// load reads the settings: flag, then environment, then file, then default. The
// first that is given wins, and each setting remembers which.
func load(cmd *cobra.Command) (server.Config, []*setting, error) {
	var cfg server.Config
	file, path, err := readFile(cmd)
	if err != nil {
		return cfg, nil, err
	}
	all := settings()
	if err := checkKeys(file, path, all); err != nil {
		return cfg, nil, err
	}
	if err := checkEnv(all); err != nil {
		return cfg, nil, err
	}
	for _, s := range all {
		field := reflect.ValueOf(&cfg).Elem().FieldByIndex(s.index)
		if err := s.choose(cmd, field, file, path); err != nil {
			return cfg, nil, err
		}
		if s.source != "default" {
			cfg.MarkGiven(s.name)
		}
	}
	// Checked before anything listens, opens or is made.
	if _, _, err := server.Effective(cfg); err != nil {
		return cfg, nil, usageError{err}
	}
	return cfg, all, nil
}

func (s *setting) choose(cmd *cobra.Command, field reflect.Value, file map[string]any, path string) error {
	if f := cmd.Flags().Lookup(s.name); f != nil && f.Changed {
		s.source = "flag --" + s.name
		if s.kind.Kind() == reflect.Slice {
			list, err := cmd.Flags().GetStringSlice(s.name)
			field.Set(reflect.ValueOf(list))
			return err
		}
		return s.set(field, f.Value.String())
	}
	if text, ok := os.LookupEnv(s.env()); ok && text != "" {
		s.source = "environment " + s.env()
		return s.set(field, text)
	}
	if value, ok := file[s.key()]; ok {
		s.source = "file " + path
		return s.setFile(field, value)
	}
	if s.preset == "" {
		return nil
	}
	return s.set(field, s.preset)
}

// set parses text into a field; errors name the setting and where it came from.
func (s *setting) set(field reflect.Value, text string) error {
	switch {
	case s.kind == reflect.TypeFor[time.Duration]():
		d, err := time.ParseDuration(text)
		if err != nil || d < 0 {
			return s.wrong("%q is not a duration such as 30m or 24h", text)
		}
		if d == 0 && s.name != "refresh-retry-window" {
			return s.wrong("must be longer than 0; leave it out for the profile's value")
		}
		field.SetInt(int64(d))
	case s.kind.Kind() == reflect.String:
		field.SetString(text)
	case s.kind.Kind() == reflect.Bool:
		b, err := strconv.ParseBool(text)
		if err != nil {
			return s.wrong("%q is not true or false", text)
		}
		field.SetBool(b)
	case s.kind.Kind() == reflect.Int:
		n, err := strconv.Atoi(text)
		if err != nil {
			return s.wrong("%q is not a number", text)
		}
		field.SetInt(int64(n))
	case s.kind.Kind() == reflect.Slice:
		var list []string
		for part := range strings.SplitSeq(text, ",") {
			if part = strings.TrimSpace(part); part != "" {
				list = append(list, part)
			}
		}
		field.Set(reflect.ValueOf(list))
	}
	return nil
}

// setFile takes a value of the file in its own type: a number is not text.
func (s *setting) setFile(field reflect.Value, value any) error {
	switch v := value.(type) {
	case string:
		if s.kind.Kind() == reflect.String || s.kind == reflect.TypeFor[time.Duration]() {
			return s.set(field, v)
		}
	case bool:
		if s.kind.Kind() == reflect.Bool {
			field.SetBool(v)
			return nil
		}
	case int64:
		if s.kind.Kind() == reflect.Int {
			field.SetInt(v)
			return nil
		}
	case []any:
		if s.kind.Kind() == reflect.Slice {
			list := make([]string, 0, len(v))
			for _, one := range v {
				text, ok := one.(string)
				if !ok {
					return s.wrong("the list must hold texts")
				}
				list = append(list, text)
			}
			field.Set(reflect.ValueOf(list))
			return nil
		}
	}
	want := map[reflect.Kind]string{reflect.String: "a text in quotes", reflect.Bool: "true or false", reflect.Int: "a number", reflect.Slice: "a list of texts in brackets"}[s.kind.Kind()]
	if s.kind == reflect.TypeFor[time.Duration]() {
		want = "a duration in quotes, such as \"30m\""
	}
	return s.wrong("must be %s", want)
}

func (s *setting) wrong(format string, args ...any) error {
	return usage("setting %s (%s): %s", s.name, s.source, fmt.Sprintf(format, args...))
}

// readFile reads the settings file. One that was named must be there.
func readFile(cmd *cobra.Command) (map[string]any, string, error) {
	path, named := "", false
	if f := cmd.Flags().Lookup("config"); f != nil && f.Changed {
		path, named = f.Value.String(), true
	} else if path = os.Getenv("LANYARD_CONFIG"); path != "" {
		named = true
	} else {
		path = "lanyard.toml"
	}
	b, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) && !named {
		return nil, "", nil
	}
	if err != nil {
		return nil, "", usage("setting config: %v", err)
	}
	var out map[string]any
	if err := toml.Unmarshal(b, &out); err != nil {
		if d, ok := errors.AsType[*toml.DecodeError](err); ok {
			line, column := d.Position()
			return nil, "", usage("settings file %s, line %d, column %d: %v", path, line, column, err)
		}
		return nil, "", usage("settings file %s: %v", path, err)
	}
	return out, path, nil
}

// checkKeys refuses keys that nobody reads, with the nearest one that somebody
// does: a mistyped limit must not be a limit that is not there.
func checkKeys(file map[string]any, path string, all []*setting) error {
	known := make([]string, len(all))
	for i, s := range all {
		known[i] = s.key()
	}
	for key := range file {
		if !slices.Contains(known, key) {
			return usage("settings file %s: there is no setting %q; did you mean %q?", path, key, nearest(key, known))
		}
	}
	return nil
}

// otherEnv are variables with our prefix that are not settings.
var otherEnv = []string{"LANYARD_CONFIG", "LANYARD_SERVER", "LANYARD_CLIENT_ID", "LANYARD_CLIENT_SECRET", "LANYARD_CREDENTIALS", "LANYARD_SOAK"}

func checkEnv(all []*setting) error {
	known := slices.Clone(otherEnv)
	for _, s := range all {
		known = append(known, s.env())
	}
	for _, entry := range os.Environ() {
		name, _, _ := strings.Cut(entry, "=")
		if strings.HasPrefix(name, "LANYARD_") && !slices.Contains(known, name) {
			return usage("environment: there is no setting %s; did you mean %s?", name, nearest(name, known))
		}
	}
	return nil
}

// nearest is the known name with the smallest edit distance.
func nearest(name string, known []string) string {
	best, least := "", 1<<30
	for _, k := range known {
		if d := distance(name, k); d < least {
			best, least = k, d
		}
	}
	return best
}

func distance(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := 1; i <= len(a); i++ {
		diagonal := row[0]
		row[0] = i
		for j := 1; j <= len(b); j++ {
			cost := 1
			if a[i-1] == b[j-1] {
				cost = 0
			}
			diagonal, row[j] = row[j], min(row[j]+1, row[j-1]+1, diagonal+cost)
		}
	}
	return row[len(b)]
}
