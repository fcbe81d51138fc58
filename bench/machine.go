package main

import (
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"runtime/debug"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// fact is a line about the machine or the programs measured.
type fact struct{ Name, Value string }

// machine tells what the numbers depend on. The disk is the one of dir,
// load what others were doing when the run began.
func machine(dir, load string) ([]fact, error) {
	sync, err := syncTime(dir)
	if err != nil {
		return nil, err
	}
	facts := []fact{
		{"date", time.Now().UTC().Format(time.DateOnly)},
		{"processor", fmt.Sprintf("%s, %d cores", procLine("/proc/cpuinfo", "model name"), runtime.NumCPU())},
		{"memory", procLine("/proc/meminfo", "MemTotal")},
		{"system", runtime.GOOS + "/" + runtime.GOARCH + ", kernel " + kernel()},
		{"load before the run", load},
		{"disk", fmt.Sprintf("%s, %s for a write of 4 KiB with its sync", fileSystem(dir), duration(sync))},
		{"Go", strings.TrimPrefix(runtime.Version(), "go")},
	}
	if info, ok := debug.ReadBuildInfo(); ok {
		for _, m := range info.Deps {
			switch m.Path {
			case "github.com/alexedwards/scs/v2", "github.com/alexedwards/scs/sqlite3store", "github.com/alexedwards/scs/pgxstore",
				"github.com/alexedwards/scs/goredisstore", "github.com/gorilla/sessions", "github.com/golang-jwt/jwt/v5",
				"github.com/go-jose/go-jose/v4", "github.com/lestrrat-go/jwx/v3", "modernc.org/sqlite",
				"github.com/jackc/pgx/v5", "github.com/redis/rueidis", "github.com/redis/go-redis/v9":
				facts = append(facts, fact{m.Path, m.Version})
			}
		}
	}
	return facts, nil
}

// syncTime is the median time of a small durable write.
func syncTime(dir string) (float64, error) {
	f, err := os.Create(filepath.Join(dir, "sync"))
	if err != nil {
		return 0, err
	}
	defer f.Close()
	page := make([]byte, 4096)
	var times []float64
	for range 200 {
		began := time.Now()
		if _, err := f.Write(page); err != nil {
			return 0, err
		}
		if err := unix.Fdatasync(int(f.Fd())); err != nil {
			return 0, err
		}
		times = append(times, float64(time.Since(began)))
	}
	return median(times), nil
}

// procLine returns the value of the first line with the name.
func procLine(path, name string) string {
	text, err := os.ReadFile(path)
	if err == nil {
		for line := range strings.Lines(string(text)) {
			if n, value, ok := strings.Cut(line, ":"); ok && strings.TrimSpace(n) == name {
				return strings.TrimSpace(value)
			}
		}
	}
	return "unknown"
}

// freeMemory is what programs may still take, in bytes.
func freeMemory() (float64, error) {
	var kib float64
	if _, err := fmt.Sscanf(procLine("/proc/meminfo", "MemAvailable"), "%f kB", &kib); err != nil {
		return 0, fmt.Errorf("reading the free memory: %w", err)
	}
	return kib * 1024, nil
}

func kernel() string {
	text, err := os.ReadFile("/proc/sys/kernel/osrelease")
	if err != nil {
		return "unknown"
	}
	release, _, _ := strings.Cut(strings.TrimSpace(string(text)), "-")
	return release
}

// loadAverage is how many programs wanted a processor in the last minute.
func loadAverage() string {
	text, err := os.ReadFile("/proc/loadavg")
	if err != nil {
		return "unknown"
	}
	load, _, _ := strings.Cut(string(text), " ")
	return load
}

// fileSystem names those on which a sync means something, and the one on which
// it does not.
func fileSystem(dir string) string {
	var s unix.Statfs_t
	if err := unix.Statfs(dir, &s); err != nil {
		return "unknown"
	}
	switch s.Type {
	case unix.EXT4_SUPER_MAGIC:
		return "ext4"
	case unix.XFS_SUPER_MAGIC:
		return "xfs"
	case unix.BTRFS_SUPER_MAGIC:
		return "btrfs"
	case unix.OVERLAYFS_SUPER_MAGIC:
		return "overlayfs"
	case unix.TMPFS_MAGIC:
		return "tmpfs (memory: durable writes cost nothing here, set TMPDIR to a disk)"
	}
	return fmt.Sprintf("file system %#x", s.Type)
}
