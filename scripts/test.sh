#!/usr/bin/env bash
# Runs every check. What is missing on the machine is installed where that is
# allowed (Debian as root), else named and skipped; with CI=true a skipped part
# is a failure. Only the vulnerability check may be skipped, with a clear line,
# where its database cannot be reached.
set -uo pipefail
cd "$(dirname "$0")/.."

STATICCHECK=honnef.co/go/tools/cmd/staticcheck@v0.8.2
GOVULNCHECK=golang.org/x/vuln/cmd/govulncheck@v1.9.0

failed=()
step() { # step NAME COMMAND...
	local name=$1 start=$SECONDS
	shift
	printf '\n== %s\n' "$name"
	if "$@"; then
		printf -- '-- %s: ok (%ds)\n' "$name" $((SECONDS - start))
	else
		printf -- '-- %s: FAILED (%ds)\n' "$name" $((SECONDS - start))
		failed+=("$name")
	fi
}

# need COMMAND PACKAGE: makes sure that a command is there.
updated=
need() {
	command -v "$1" >/dev/null 2>&1 && return 0
	if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null 2>&1; then
		[ -n "$updated" ] || { apt-get update -qq >/dev/null 2>&1; updated=1; }
		DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "$2" >/dev/null 2>&1
		command -v "$1" >/dev/null 2>&1 && return 0
	fi
	echo "missing: $1 (Debian package $2); the tests that need it are skipped here"
	[ "${CI:-}" != true ]
}

# PostgreSQL's server programs are not in the PATH on Debian.
postgres() {
	ls /usr/lib/postgresql/*/bin/initdb >/dev/null 2>&1 || need initdb postgresql
	ls /usr/lib/postgresql/*/bin/initdb >/dev/null 2>&1 || command -v initdb >/dev/null 2>&1 || [ "${CI:-}" != true ]
}

# Debian 12 has Valkey in its backports alone: that suite is added, from the
# mirror that this machine uses already.
valkey() {
	command -v valkey-server >/dev/null 2>&1 && return 0
	if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null 2>&1 && ! apt-cache policy valkey-server 2>/dev/null | grep -q 'Candidate: [0-9]'; then
		local release mirror
		release=$(. /etc/os-release && echo "${VERSION_CODENAME:-}")
		mirror=$(apt-get indextargets --format '$(REPO_URI) $(RELEASE)' 'Created-By: Packages' 2>/dev/null | awk -v r="$release" '$2 == r { print $1; exit }')
		if [ -n "$release" ] && [ -n "$mirror" ]; then
			echo "deb [signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] $mirror $release-backports main" >/etc/apt/sources.list.d/lanyard-tests-backports.list
			updated=
		fi
	fi
	need valkey-server valkey-server
}

machine() {
	local ok=0
	need gcc gcc || ok=1 # the race detector links with it
	need chromium chromium || ok=1
	need strace strace || ok=1
	need redis-server redis-server || ok=1
	need node nodejs || ok=1
	need npm npm || ok=1
	valkey || ok=1
	postgres || ok=1
	return $ok
}

format() {
	local bad
	bad=$(git ls-files -co --exclude-standard '*.go' | xargs gofmt -l)
	[ -z "$bad" ] || { echo "not formatted: $bad"; return 1; }
}

vulnerabilities() {
	local out
	if out=$(timeout 120 go run "$GOVULNCHECK" ./... 2>&1); then
		tail -n 3 <<<"$out"
		return 0
	fi
	if grep -qiE 'dial tcp|no such host|connection refused|i/o timeout|403 Forbidden|fetching vulnerabilities|context deadline|proxyconnect|Bad Gateway|certificate' <<<"$out"; then
		echo "skipped: the vulnerability database cannot be reached from here"
		return 0
	fi
	echo "$out"
	return 1
}

# Reflection by method name makes the linker keep every exported method, and the
# program grows by megabytes.
reflection() {
	local out
	out=$(go build -ldflags=-dumpdep -o "$log.program" ./cmd/lanyard 2>&1) || { tail -n 5 <<<"$out"; return 1; }
	rm -f "$log.program"
	! grep -m 5 '<ReflectMethod>' <<<"$out"
}

# Every nested module is tested like the main one.
nested() {
	local ok=0 mod
	for mod in $(git ls-files -co --exclude-standard '*/go.mod'); do
		echo "module $(dirname "$mod")"
		(cd "$(dirname "$mod")" && go vet ./... && go test ./... && go mod tidy -diff) || ok=1
	done
	return $ok
}

# Every fuzz target runs on its seeds as a test; here each also gets a moment of
# new inputs.
fuzz() {
	local ok=0 seconds=3 dir target
	[ -z "${LANYARD_SOAK:-}" ] || seconds=60
	while read -r file; do
		dir=./$(dirname "$file")
		for target in $(grep -oE '^func (Fuzz[A-Za-z0-9_]+)' "$file" | awk '{print $2}'); do
			go test "$dir" -run '^$' -fuzz "^$target\$" -fuzztime ${seconds}s -fuzzminimizetime 1s >"$log" 2>&1 || {
				# The fuzzer sometimes reports its own deadline as a failure; that
				# is not a finding.
				grep -q 'context deadline exceeded' "$log" && ! grep -q 'Failing input' "$log" || { echo "$dir $target"; tail -n 30 "$log"; ok=1; }
			}
		done
	done < <(git ls-files -co --exclude-standard '*_test.go' | xargs grep -lE '^func Fuzz' | grep -v '^bench/')
	return $ok
}

log=$(mktemp)
trap 'rm -f "$log"' EXIT

step "tools of the machine" machine
step "gofmt" format
step "go mod tidy" go mod tidy -diff
step "go vet" go vet ./...
step "staticcheck" go run "$STATICCHECK" ./...
step "govulncheck" vulnerabilities
step "go build" go build ./...
step "no reflection by name" reflection
step "go test -race" go test -race -timeout 25m ./...
# The searches of one goroutine that take too long under the race detector.
step "model of strict revocation" go test -timeout 10m ./internal/revmodel
# Thousands of requests by pages of other sites, of which the race detector gets a part.
step "forgery matrix" go test -timeout 20m -run Matrix ./internal/browsertest
step "nested modules" nested
step "fuzzing" fuzz

echo
if [ ${#failed[@]} -gt 0 ]; then
	printf 'failed: %s\n' "${failed[@]}"
	exit 1
fi
echo "all checks passed"
