#!/usr/bin/env bash
# Measures lanyard side by side with other projects, prints the table and keeps
# it in docs/benchmarks.md. Takes about three minutes on a quiet machine.
#
#   bash bench/run.sh          the whole run
#   bash bench/run.sh -quick   shows that everything runs; keeps nothing
#
# Databases are made below TMPDIR, which must be on a disk. Without wrk, which is
# installed on Debian as root, the part over HTTP is left out and named.
set -euo pipefail
cd "$(dirname "$0")"

need() { # need COMMAND PACKAGE
	command -v "$1" >/dev/null 2>&1 && return
	if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null 2>&1; then
		apt-get update -qq >/dev/null 2>&1 || true
		DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "$2" >/dev/null 2>&1 || true
	fi
	command -v "$1" >/dev/null 2>&1 || echo "missing: $1 (Debian package $2); the part over HTTP is left out" >&2
}
need wrk wrk
need taskset util-linux

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
echo "building" >&2
go build -o "$work/bench" .
(cd .. && go build -o "$work/lanyard" ./cmd/lanyard)

out=(-out ../docs/benchmarks.md)
for arg; do [ "$arg" != -quick ] || out=(); done
"$work/bench" -lanyard "$work/lanyard" -command "bash bench/run.sh" ${out[@]+"${out[@]}"} "$@"
