#!/bin/sh
# --ssh ID=KEYFILE: an agent of the build's own, which has the keys, ends with the build however
# that ends, and leaves nothing.
. "$(dirname "$0")/lib.sh"
need ssh-agent ssh-add ssh-keygen
base_images
mkdir "$tmp/ctx" "$tmp/run"
export TMPDIR="$tmp/run"
unset SSH_AUTH_SOCK
for name in a b; do ssh-keygen -q -t ed25519 -N '' -C "$name" -f "$tmp/$name"; done
ssh-keygen -q -t ed25519 -N secret -f "$tmp/locked"
echo nothing >"$tmp/junk"
build() {
    printf "$1" >"$tmp/ctx/Dockerfile"
    shift
    rm -rf "$tmp/out"
    "$slipway" build --no-cache -o "$tmp/out" "$@" "$tmp/ctx"
}
left() { ls -A "$tmp/run" | grep -c slipway-ssh; }

mount='FROM busybox\nRUN --mount=type=ssh,id=%s stat -c %%F $SSH_AUTH_SOCK >/o\nFROM scratch\nCOPY --from=0 /o /\n'
of() { printf "$mount" "$1" | sed 's/%/%%/g; s/\\/\\\\/g'; }
run_ok() { build "$(of "$1")" --ssh "$2" >"$tmp/log" 2>&1 && cat "$tmp/out/o" || cat "$tmp/log"; }
is 'RUN has the socket' "$(run_ok default "default=$tmp/a")" socket
is 'of another ID, with two keys' "$(run_ok two "two=$tmp/a,$tmp/b")" socket
is 'permissions of the file are not asked' "$(chmod 644 "$tmp/b"; run_ok default "default=$tmp/b")" socket
is 'nothing is left' "$(left)" 0

fails 'a key with a passphrase' 1 'locked is no private key.*passphrase' build 'FROM scratch\n' --ssh "default=$tmp/locked"
fails 'the second of two' 1 'junk is no private key' build 'FROM scratch\n' --ssh "default=$tmp/a,$tmp/junk"
fails 'no such file' 1 'none' build 'FROM scratch\n' --ssh "default=$tmp/none"
fails 'no agent of the environment' 2 'SSH_AUTH_SOCK is not set' build 'FROM scratch\n' --ssh default
agent=$tmp/agent
ssh-agent -D -a "$agent" >"$tmp/said" 2>/dev/null &
mine=$!
i=0
until [ -S "$agent" ] || [ $i -ge 200 ]; do sleep 0.05; i=$((i + 1)); done
is 'a socket alone' "$(run_ok default "default=$agent")" socket
fails 'a socket stands alone' 2 'a socket stands alone' build 'FROM scratch\n' --ssh "default=$tmp/a,$agent"
kill "$mine"
is 'nothing is left of failures' "$(left)" 0

# The keys are those of the files, and the agent ends when the build is killed.
printf 'FROM busybox\nRUN --mount=type=ssh sleep 300\n' >"$tmp/ctx/Dockerfile"
"$slipway" build --no-cache --ssh "default=$tmp/a,$tmp/b" "$tmp/ctx" >"$tmp/log" 2>&1 &
pid=$!
i=0
socket=
until socket=$(ls "$tmp"/run/slipway-ssh-*/agent 2>/dev/null) && [ "$(SSH_AUTH_SOCK=$socket ssh-add -l 2>/dev/null | wc -l)" = 2 ] || [ $i -ge 400 ]; do
    sleep 0.05
    i=$((i + 1))
done
is 'the keys of the files' "$(SSH_AUTH_SOCK=$socket ssh-add -L | awk '{print $2}' | sort)" "$(awk '{print $2}' "$tmp/a.pub" "$tmp/b.pub" | sort)"
kill -9 "$pid"
wait "$pid" 2>/dev/null
i=0
until [ "$(left)" = 0 ] || [ $i -ge 400 ]; do
    sleep 0.05
    i=$((i + 1))
done
is 'nothing is left of a build that was killed' "$(left)" 0
is 'nor the agent' "$(grep -lz "^$socket\$" /proc/[0-9]*/cmdline 2>/dev/null | wc -l)" 0
done_testing
