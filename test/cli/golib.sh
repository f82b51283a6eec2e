# Toolchains that test/cli/goserver.py makes up, on a loopback server. Source it behind lib.sh.
# Sets: server (its address), archives (a directory with them), and the environment of an install.
need python3
case $(uname -m) in x86_64 | aarch64) ;; *) skip_all "no made-up toolchains for this machine" ;; esac
archives=$tmp/archives
mkdir -p "$archives"
python3 "$top/test/cli/goserver.py" "$archives" >"$tmp/goserver.log" 2>&1 &
server_pid=$!
stop_goserver() { kill "$server_pid" 2>/dev/null; }
at_exit stop_goserver
for _ in $(seq 300); do
    [ -f "$archives/port" ] && break
    sleep 0.1
done
[ -f "$archives/port" ] || skip_all "the test server did not start"
server=http://127.0.0.1:$(cat "$archives/port")
unset GOROOT GO_VERSION SLIPWAY_GO_VERSION GOTOOLCHAIN GOFLAGS GOPRIVATE GONOSUMDB GONOPROXY \
    GONOSUMCHECK SLIPWAY_GO_MIRROR SLIPWAY_GO_SOURCES SLIPWAY_OFFLINE SLIPWAY_GO_POLICY GOWORK \
    SLIPWAY_GO_ADVISORIES
export GOENV=off SLIPWAY_GO_ROOT="$tmp/go" SLIPWAY_GO_SYSTEM_ROOT= SLIPWAY_GO_NOSYNC=1
export GOPROXY="$server/proxy" SLIPWAY_GO_SITE="$server/dl" http_proxy= no_proxy='*'
GOSUMDB=$(cat "$archives/key")
export GOSUMDB
# fresh: an empty store
fresh() {
    chmod -R u+w "$SLIPWAY_GO_ROOT" 2>/dev/null
    rm -rf "$SLIPWAY_GO_ROOT"
}
# faulty FAULTS: the proxy with faults
faulty() { echo "$server/f/$1/proxy"; }
count() { python3 -c "import json,sys,urllib.request;print(json.load(urllib.request.urlopen('$server/count')).get('$1',0))"; }
reset_counts() { python3 -c "import urllib.request;urllib.request.urlopen('$server/reset')"; }
# nothing_left NAME: no tree, no download, no record of a failed install
nothing_left() {
    left=$(cd "$SLIPWAY_GO_ROOT" 2>/dev/null && find versions downloads records bin -mindepth 1 -maxdepth 1 ! -name go ! -name gofmt 2>/dev/null)
    is "$1" "$left" ""
}
