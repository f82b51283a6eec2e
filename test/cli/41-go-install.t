#!/bin/sh
# Installing: verification, refusals, broken networks, many at once.
. "$(dirname "$0")/lib.sh"
. "$top/test/cli/golib.sh"
go="$slipway go"
install="$slipway go install --progress=quiet"

ok "from a proxy" $install 1.21.6
root=$SLIPWAY_GO_ROOT
is "programs are executable, nothing is writable" "$(cd "$root/versions/go1.21.6" && stat -c %a . bin/go src/make.bash src/go.mod src | tr '\n' ' ')" "555 555 555 444 555 "
like "the record names what verified it" "$(cat "$root/records/go1.21.6.json")" '"by": "sum.test"'
is "goV links work" "$("$root/bin/go1.21.6" env GOROOT)" "$root/versions/go1.21.6"
ok "from the site" $install --source site 1.22.2
like "two roots agree" "$(tr -d '\n' <"$root/records/go1.22.2.json")" '"by": "index", *"holds": true.*"by": "sum.test", *"holds": true'
is "equal files are shared" "$(stat -c %h "$root/versions/go1.22.2/src/bulk/shared.bin")" 2
ok "verify finds them whole" $go verify
chmod u+w "$root/versions/go1.21.6/src/p7/f.go" && echo '// x' >>"$root/versions/go1.21.6/src/p7/f.go"
fails "verify finds a changed byte" 1 'go1.21.6: DAMAGED: 1 changed' $go verify 1.21.6
ok "reinstalling repairs" $install --reinstall 1.21.6
ok "and is verified" $go verify 1.21.6
ok "a damaged file is not shared on" $install 1.21.13
ok "1.21.13 is whole" $go verify 1.21.13

# Tampering. Nothing may be left, the error names both hashes.
refused() { # NAME PATTERN [VAR=VALUE...]
    name=$1 pattern=$2
    shift 2
    fresh
    fails "$name" 1 "$pattern" env "$@" $install 1.21.6
    nothing_left "$name: nothing is left"
}
for at in 40000 2100000 4200000; do
    refused "a changed byte at $at of a zip" 'does not|differs|malformed|says h1:|unsafe|CRC|not a zip' GOPROXY="$(faulty flip=$at)"
done
refused "a forged checksum line" 'is not in its signed tree' GOPROXY="$(faulty forgedline)"
refused "a forged line in another history" 'module hash does not match: sum.test says h1:AA.* the download has h1:' GOPROXY="$(faulty forged)"
refused "a bad signature" 'signature of sum.test does not match' GOPROXY="$(faulty badsig)"
refused "another key" 'not signed by sum.test' GOPROXY="$(faulty badkey)"
refused "lying tiles" 'not in its signed tree|two histories' GOPROXY="$(faulty badtile)"
fresh
fails "no database at all" 1 'nothing vouches' env GOPROXY="$(faulty nosumdb)" GOSUMDB="$(cat "$archives/key") http://127.0.0.1:9/" SLIPWAY_GO_SOURCES=proxy $install 1.21.6
is "nothing is installed" "$(ls "$root/versions" "$root/records")" "$root/records:

$root/versions:"
fresh
ok "a first head is remembered" $install 1.23.0
fails "a second history with the same key" 1 'two histories.*Somebody may be attacking' env GOPROXY="$(faulty fork)" $install 1.22.2
ok "the true history goes on" $install 1.22.2
before=$(cat "$root/sumdb/sum.test/latest")
ok "an older head of the same history is no rollback" env GOPROXY="$(faulty old)" $install 1.21.6
is "and does not replace the newer" "$(cat "$root/sumdb/sum.test/latest")" "$before"
fails "a forked old head is refused" 1 'two histories' env GOPROXY="$(faulty fork+old)" $install 1.20
fresh
fails "a tampered index" 1 "archive's sha256 does not match: the index says [0-9a-f]{64}, the download has" env SLIPWAY_GO_SITE="$server/f/tamper/dl" $install --source site 1.21.6
nothing_left "nothing is left"
fails "a changed byte in a tar" 1 'sha256 does not match|CRC|corrupt|checksum|inflate|gzip' env SLIPWAY_GO_SITE="$server/f/flip/dl" $install --source site 1.21.6
nothing_left "nothing is left"
for bad in traverse absolute outside link; do
    fresh
    fails "zip: $bad" 1 'unsafe name|outside of|link or special' env GOPROXY="$(faulty $bad)" $install 1.22.2
    fresh
    fails "tar: $bad" 1 'unsafe name|link or special' env SLIPWAY_GO_SITE="$server/f/$bad/dl" $install --source site 1.22.2
done
fails "tar: hardlink" 1 'link or special' env SLIPWAY_GO_SITE="$server/f/hardlink/dl" $install --source site 1.22.2
is "nothing was written outside" "$(ls "$tmp/evil" "$tmp/go/evil" /etc/evil 2>/dev/null)" ""

# The user's words about verification.
fresh
ok "GOSUMDB=off" env GOSUMDB=off $install 1.21.6
like "is recorded" "$(cat "$root/records/go1.21.6.json")" '"detail": "GOSUMDB=off"'
ok "GONOSUMDB by pattern" env GONOSUMDB='golang.org/*' $install 1.21.13
ok "GOFLAGS=-insecure" env GOFLAGS=-insecure $install 1.21.0
fails "GOPROXY=off forbids" 1 'GOPROXY=off' env GOPROXY=off $install 1.22.2
ok "',' goes on after 404" env GOPROXY="$server/nothing,$server/proxy" $install 1.22.2
fails "',' stops after 500" 1 'status 500' env GOPROXY="$server/f/500/nothing,$server/proxy" SLIPWAY_GO_SOURCES=proxy $install 1.23.0
ok "'|' goes on after 500" env GOPROXY="$server/f/500/nothing|$server/proxy" SLIPWAY_GO_SOURCES=proxy $install 1.23.0
ok "direct means the site" env GOPROXY=direct GOSUMDB="$(cat "$archives/key") $server/sum" SLIPWAY_GO_SOURCES=proxy,site $install 1.23rc1

# Files, mirrors, offline.
fresh
mkdir -p "$tmp/proxydir/golang.org/toolchain/@v"
cp "$archives"/v0.0.1-go1.21.6.*.zip "$tmp/proxydir/golang.org/toolchain/@v/"
ok "a file:// proxy" env GOPROXY="file://$tmp/proxydir|$server/proxy" $install 1.21.6
ok "what was proven counts offline" $install --offline --reinstall --mirror "$archives" --source mirror 1.21.6
fails "what was not does not" 1 'nothing vouches' $install --offline --mirror "$archives" --source mirror 1.22.2
ok "a mirror directory" $install --mirror "$archives" --source mirror 1.22.2
ok "import" $go import --progress=quiet "$archives"/go1.21.13.*.tar.gz
fails "import of what is not whole" 1 'nothing|gzip|early|short|corrupt|ends' sh -c "head -c 3000000 '$archives'/go1.20.14.*.tar.gz >'$tmp/go1.20.14.linux-$(uname -m | sed 's/x86_64/amd64/;s/aarch64/arm64/').tar.gz' && $go import --progress=quiet '$tmp'/go1.20.14.*.tar.gz"
fails "import with another sha256" 1 'says 00*, the download has' $go import --progress=quiet --reinstall --sha256 0000000000000000000000000000000000000000000000000000000000000000 "$archives"/go1.21.13.*.tar.gz

# Bad networks.
fresh
reset_counts
ok "a connection that breaks off is gone on with" env GOPROXY="$(faulty close)" $install 1.21.6
is "from where it was" "$(count 'zip 1.21.6')" 1
fresh
reset_counts
ok "429 with Retry-After" env GOPROXY="$(faulty 429)" $install 1.21.6
fresh
reset_counts
ok "503" env GOPROXY="$(faulty 503)" $install 1.21.6
fresh
reset_counts
ok "a server without ranges" env GOPROXY="$(faulty norange+close)" $install 1.21.6
fresh
fails "503 with a Retry-After of hours" 1 'status 503' env GOPROXY="$(faulty 503always)" SLIPWAY_GO_SOURCES=proxy $install 1.21.6
fresh
fails "a length that is too short" 1 'zip|directory|early' env GOPROXY="$(faulty lieshort)" SLIPWAY_GO_SOURCES=proxy $install 1.21.6

# Many at once, and killed at any moment.
fresh
reset_counts
pids=
for _ in $(seq 20); do
    $install 1.21.6 >/dev/null 2>&1 &
    pids="$pids $!"
done
failed=0
for p in $pids; do wait "$p" || failed=$((failed + 1)); done
is "20 at once all succeed" $failed 0
is "with one download" "$(count 'zip 1.21.6')" 1
fresh
for i in $(seq "${KILLS:-25}"); do
    GOPROXY="$(faulty drip)" $install 1.21.6 >/dev/null 2>&1 &
    p=$!
    sleep "0.0$((i * 37 % 90 + 10))"
    [ $((i % 3)) = 0 ] && sleep 0.3
    kill -9 $p 2>/dev/null
    wait $p 2>/dev/null
    if [ -e "$root/versions/go1.21.6" ]; then
        $go verify 1.21.6 >/dev/null 2>&1 || break
        $go uninstall 1.21.6 >/dev/null
    fi
done
is "killed at any moment: whole or absent" "$i" "${KILLS:-25}"
ok "the next call goes on" $install 1.21.6
ok "and it is whole" $go verify 1.21.6
is "no unfinished tree is left" "$(ls -A "$root/versions" | grep -c '^\.')" 0
SLIPWAY_FAULT=renameat:1:kill $install 1.21.13 >/dev/null 2>&1
ok "killed before the rename" $install 1.21.13
$install 1.20.14 >/dev/null 2>&1 &
p=$!
kill -9 $p 2>/dev/null
wait $p 2>/dev/null
ok "prune clears up" $go prune
is "all of it" "$(ls -A "$root/versions" | grep -c '^\.')" 0
done_testing
