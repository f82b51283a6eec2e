#!/bin/sh
# Go programs of every release line since 1.13 that can be had, built in the ways that people build
# them, against `go version -m` of the newest release, entry by entry; then packed, cut and damaged
# ones. GO_VERSIONS=DIR uses the releases installed below DIR instead of installing them; GO_LINES
# names the lines: "1.13 1.20".
. "$(dirname "$0")/../cli/lib.sh"
command -v python3 >/dev/null || skip_all 'python3 is not installed'
unset GOFLAGS GOROOT GOTOOLCHAIN GOEXPERIMENT GO111MODULE
if [ -z "${GO_VERSIONS:-}" ]; then
    newest=$("$slipway" go listall 2>/dev/null | sed -n 's/.*go1\.\([0-9]*\)\.[0-9].*/\1/p' | sort -n | tail -n 1)
    [ -n "$newest" ] || skip_all 'no list of Go releases can be had'
    for line in ${GO_LINES:-$(seq -f 1.%g 13 "$newest")}; do
        "$slipway" go install --progress quiet "$line.x" >/dev/null 2>"$tmp/install.log" || diag "$line: $(tail -n 1 "$tmp/install.log")"
    done
    GO_VERSIONS=$SLIPWAY_ROOT/go/versions
fi
ls "$GO_VERSIONS"/*/bin/go >/dev/null 2>&1 || skip_all 'no Go release can be installed'
python3 test/long/scan-go-releases.py "$slipway" "$GO_VERSIONS" "$tmp/work"
status=$?
[ ! -d "$tmp/work" ] || chmod -R u+w "$tmp/work"
exit $status
