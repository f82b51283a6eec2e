#!/bin/sh
# slipway-init: the choice, being process 1, refusals.
. "$(dirname "$0")/lib.sh"
. "$top/test/cli/golib.sh"
init=${SLIPWAY_INIT:-$top/build/src/gotool/slipway-init}
[ -x "$init" ] || skip_all "slipway-init is not built"
export SLIPWAY_BIN="$slipway"
ok "a default" "$slipway" go install --progress=quiet --default 1.21.6
config=$tmp/config.yaml
chosen() { "$init" --config "$config" --print "$@" 2>"$tmp/said" | cut -f1; }
is "the default" "$(chosen)" go1.21.6
printf 'server:\n  go: 9\nanchors: &a [1]\ngo: 1.20 # text\n' >"$config"
is "a key of the configuration, installed when it is missing" "$(chosen)" go1.20.14
is "another key" "$(printf 'runtime:\n  version: "1.21.6"\n' >"$config" && chosen --key runtime)" go1.21.6
is "GO_VERSION before the file" "$(GO_VERSION=1.22.2 chosen)" go1.22.2
is "SLIPWAY_GO_VERSION too" "$(SLIPWAY_GO_VERSION=1.20.14 chosen)" go1.20.14
rm "$config"
fails "an invalid version fails before the program" 125 'GO_VERSION: "1.2.3.4" is not a Go version' env GO_VERSION=1.2.3.4 "$init" touch "$tmp/started"
is "it was not started" "$(ls "$tmp/started" 2>/dev/null)" ""
fails "so does one that cannot be had" 125 'Go 1.99.9 \(GO_VERSION\): installing it failed' env GO_VERSION=1.99.9 "$init" true
ok "--fallback uses the default" sh -c "GO_VERSION=1.99.9 '$init' --fallback --offline go version 2>'$tmp/said' | grep -q go1.21.6"
like "and says so" "$(cat "$tmp/said")" 'go1.21.6 \(fallback to the preinstalled default'
like "one line names version and place" "$(GO_VERSION=1.21.6 "$init" true 2>&1)" '^slipway-init: go1.21.6 \(GO_VERSION 1.21.6\), .* compiled program carries its own Go runtime'
is "the environment" "$(GOTOOLCHAIN=auto GOROOT=/stale "$init" --quiet sh -c 'echo $GOTOOLCHAIN $GOROOT; command -v go')" "local $SLIPWAY_GO_ROOT/versions/go1.21.6
$SLIPWAY_GO_ROOT/versions/go1.21.6/bin/go"
like "without HOME the go command gets a cache" "$(env -u HOME -u GOCACHE -u XDG_CACHE_HOME "$init" --quiet env)" '^GOCACHE=/'
"$init" --quiet sh -c 'exit 9'
is "status of a program" $? 9
"$init" --quiet --supervise sh -c 'exit 9'
is "status of a supervised program" $? 9
"$init" --quiet --supervise sh -c 'kill -TERM $$'
is "128 and the signal" $? 143
fails "no such program" 127 'no program' "$init" --quiet no-such-program
fails "not executable" 126 'not executable' "$init" --quiet /etc/passwd

# Signals reach the program, with its own handlers.
"$init" --quiet --supervise sh -c 'trap "echo got-usr1 >'"$tmp"'/usr1; exit 5" USR1; : >'"$tmp"'/ready; while :; do sleep 0.05; done' &
p=$!
for _ in $(seq 100); do [ -e "$tmp/ready" ] && break; sleep 0.05; done
kill -USR1 $p
wait $p
is "a signal is passed on, the status comes back" "$?:$(cat "$tmp/usr1")" 5:got-usr1
"$init" --quiet --supervise sh -c ': >'"$tmp"'/ready2; sleep 30 & wait' &
p=$!
for _ in $(seq 100); do [ -e "$tmp/ready2" ] && break; sleep 0.05; done
kill -TERM $p
wait $p
is "the whole group gets it" $? 143

# Signals during a download.
GOPROXY="$(faulty drip)" GO_VERSION=1.23.0 "$init" touch "$tmp/started" >"$tmp/init.out" 2>&1 &
p=$!
for _ in $(seq 100); do ls "$SLIPWAY_GO_ROOT/downloads" 2>/dev/null | grep -q part && break; sleep 0.02; done
kill -TERM $p
wait $p
is "a signal during the download ends it" "$?:$(ls "$tmp/started" 2>/dev/null)" "143:"

# Process 1 in a namespace.
if is_root && have unshare && unshare -pf --mount-proc true 2>/dev/null; then
    is "process 1 starts the program as a child" "$(unshare -pf --mount-proc "$init" --quiet sh -c 'cat /proc/1/comm; ps -o stat= -A 2>/dev/null | grep -c Z')" "slipway-init
0"
    is "orphans are reaped" "$(unshare -pf --mount-proc "$init" --quiet sh -c 'for i in 1 2 3 4 5; do (sh -c "sleep 0.05 & exec true" &); done; sleep 0.4; grep -l "State:.Z" /proc/[0-9]*/status 2>/dev/null | wc -l')" 0
    unshare -pf --mount-proc "$init" --quiet sh -c 'exit 3'
    is "its status" $? 3
    unshare -pf --mount-proc "$init" --quiet sh -c 'kill -9 $$'
    is "its signal" $? 137
    signals() { # with a prefix, through it: what the started program blocks and ignores
        unshare -pf --mount-proc sh -c "trap '' PIPE; exec $1 grep -E 'Sig(Blk|Ign)' /proc/self/status" | tr -d '\n\t'
    }
    is "ignored and blocked signals are as they were" "$(signals "'$init' --quiet")" "$(signals '')"
    mkdir -p "$tmp/scratch/proc"
    cp "$init" "$tmp/scratch/init"
    mkdir -p "$tmp/scratch/usr/local/go/bin"
    cp "$init" "$tmp/scratch/usr/local/go/bin/go"
    echo go1.21.6 >"$tmp/scratch/usr/local/go/VERSION"
    is "runs where there is nothing else" "$(chroot "$tmp/scratch" /init --print 2>&1)" "$(printf 'go1.21.6\t/usr/local/go\tpreinstalled default')"
else
    skip "process 1" "needs root and unshare"
fi
like "it is small" "$(stat -c %s "$init")" '^[0-9]{1,6}$'
done_testing
