#!/bin/sh
# The OCI distribution-spec's conformance suite (main branch, version "dev", and 1.1) against the
# registry: on a directory with SQLite and, where they are installed, on PostgreSQL and MinIO.
# CONFORMANCE names the suite's test program; without it, "conformance" in PATH is taken.
set -u
cd "$(dirname "$0")/../.." || exit 2
slipway=${SLIPWAY:-$PWD/build/src/cmd/slipway}
tmp=$(mktemp -d "${TMPDIR:-/tmp}/slipway-conformance.XXXXXX") || exit 2
chmod 755 "$tmp"
server='' minio='' pg=''
cleanup() {
    [ -z "$server" ] || kill "$server" 2>/dev/null
    [ -z "$minio" ] || kill "$minio" 2>/dev/null
    [ -z "$pg" ] || su postgres -c "$pg/pg_ctl -D $tmp/pg/d -m immediate stop" >/dev/null 2>&1
    rm -rf "$tmp"
}
trap cleanup EXIT
trap 'exit 130' INT TERM

suite=${CONFORMANCE:-$(command -v conformance)}
[ -n "$suite" ] || { echo '1..0 # SKIP the conformance suite is not in PATH and CONFORMANCE does not name it'; exit 0; }

number=0 failures=0
run() {
    name=$1 version=$2
    shift 2
    rm -rf "$tmp/port" "$tmp/work"
    mkdir "$tmp/work"
    "$slipway" registry serve --open -a 127.0.0.1:0 --port-file "$tmp/port" --data "$tmp/data$number" "$@" 2>"$tmp/log" &
    server=$!
    n=0
    until [ -s "$tmp/port" ] || [ $n -ge 100 ]; do sleep 0.1; n=$((n + 1)); done
    number=$((number + 1))
    if (cd "$tmp/work" && OCI_REGISTRY=127.0.0.1:$(cat "$tmp/port") OCI_TLS=disabled OCI_VERSION=$version \
        "$suite" -test.v >"$tmp/out" 2>&1) && ! grep -q ': Skip$' "$tmp/out"; then
        echo "ok $number - $name, $version: $(grep -c ': Pass$' "$tmp/out") passed, none skipped"
    else
        failures=$((failures + 1))
        echo "not ok $number - $name, $version"
        grep -A2 -E ': (FAIL|Skip)$' "$tmp/out" | head -20 | sed 's/^/# /'
        sed 's/^/# /' "$tmp/log"
    fi
    kill "$server"
    wait "$server"
    server=''
}
run 'directory and SQLite' dev
run 'directory and SQLite' 1.1

bin=$(ls -d /usr/lib/postgresql/*/bin 2>/dev/null | tail -1)
store=${MINIO:-$(command -v minio)}
if [ -n "$bin" ] && [ -n "$store" ] && [ "$(id -u)" = 0 ]; then
    pg=$bin
    mkdir -p "$tmp/pg" "$tmp/minio/registry"
    chown postgres "$tmp/pg"
    su postgres -c "$pg/initdb -A trust -D $tmp/pg/d && $pg/pg_ctl -w -D $tmp/pg/d -o '-p 55671 -k $tmp/pg -h 127.0.0.1' -l $tmp/pg/log start" >/dev/null
    MINIO_ROOT_USER=conformance MINIO_ROOT_PASSWORD=conformance "$store" server --quiet --address 127.0.0.1:55672 "$tmp/minio" >/dev/null 2>&1 &
    minio=$!
    n=0
    until curl -sf http://127.0.0.1:55672/minio/health/live || [ $n -ge 100 ]; do sleep 0.1; n=$((n + 1)); done
    AWS_ACCESS_KEY_ID=conformance AWS_SECRET_ACCESS_KEY=conformance
    export AWS_ACCESS_KEY_ID AWS_SECRET_ACCESS_KEY
    run 'PostgreSQL and MinIO' dev --metadata postgres://postgres@127.0.0.1:55671/postgres \
        --s3-endpoint http://127.0.0.1:55672 --s3-bucket registry
else
    number=$((number + 1))
    echo "ok $number # SKIP PostgreSQL or MinIO is missing"
fi
echo "1..$number"
[ "$failures" = 0 ]
