#!/usr/bin/env bash
# Measures lanyard side by side with other projects, prints the table and keeps
# it in docs/benchmarks.md. Takes about five minutes on a quiet machine.
#
#   bash bench/run.sh                the whole run
#   bash bench/run.sh -quick         shows that everything runs; keeps nothing
#   bash bench/run.sh -only stores   a part by itself; keeps nothing, or that part
#                                    with -keep
#   bash bench/run.sh -only browser      pages with forms, beside scs and gorilla/csrf
#   bash bench/run.sh -only revocation   what 2000 followers of a node and the near
#                                    cache cost; docs/scale.md goes on from there
#   bash bench/run.sh -scale         a million sessions on each engine, half an
#                                    hour and 10 GB of memory; keeps that part
#   bash bench/run.sh -scale -engine SQLite    the same on one; keeps nothing
#
# Databases are made below TMPDIR, which must be on a disk. Without wrk the part
# over HTTP is left out and named, without PostgreSQL or Redis the part on stores.
# They are installed on Debian as root.
set -euo pipefail
cd "$(dirname "$0")"

need() { # need COMMAND PACKAGE PART
	command -v "$1" >/dev/null 2>&1 && return
	if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null 2>&1; then
		apt-get update -qq >/dev/null 2>&1 || true
		DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "$2" >/dev/null 2>&1 || true
	fi
	command -v "$1" >/dev/null 2>&1 || echo "missing: $1 (Debian package $2); the part $3 is left out" >&2
}
need wrk wrk "over HTTP"
need taskset util-linux "over HTTP"
need redis-server redis-server "on stores"
PATH=$PATH:$(printf '%s:' /usr/lib/postgresql/*/bin) need initdb postgresql "on stores"

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
echo "building" >&2
go build -o "$work/bench" .
make -s -C .. build OUT="$work/lanyard"

out=(-out ../docs/benchmarks.md)
for arg; do case $arg in -quick | -only) out=() ;; esac; done
for arg; do case $arg in -keep) out=(-out ../docs/benchmarks.md) ;; esac; done
"$work/bench" -lanyard "$work/lanyard" -command "bash bench/run.sh" ${out[@]+"${out[@]}"} "$@"
