#!/bin/sh
# kill -9 in the middle of a build: the store stays whole, nothing stays mounted or running, the next
# build succeeds and gives the same image. KILLS sets how often (check-long: 100).
. "$(dirname "$0")/lib.sh"
base_images
kills=${KILLS:-15}
mkdir "$tmp/app"
cat >"$tmp/app/Dockerfile" <<'D'
FROM busybox AS a
COPY data /data
RUN cat /data/* > /all && sleep 0.02
RUN dd if=/dev/zero of=/big bs=1M count=8 2>/dev/null
FROM busybox AS b
RUN mkdir /many && cd /many && for i in $(echo 1 2 3 4 5 6 7 8 9); do echo $i > f$i; done; sleep 0.03
FROM busybox
COPY --from=a /all /big /
COPY --from=b /many /many
RUN rm -rf /many/f1 && ls /many
D
mkdir "$tmp/app/data"
for i in 1 2 3 4 5 6 7 8; do head -c 300000 /dev/urandom >"$tmp/app/data/f$i"; done
ok 'the reference build' "$slipway" build --no-cache -t ref "$tmp/app"
want=$("$slipway" inspect --format '{{.Digest}}' ref)

n=0 alive=0
while [ $n -lt "$kills" ]; do
    n=$((n + 1))
    "$slipway" build --no-cache -t killed "$tmp/app" >/dev/null 2>&1 &
    pid=$!
    sleep "$(awk -v n="$n" -v s="$$" 'BEGIN { srand(n * 7919 + s); printf "%.3f", rand() * 0.45 }')"
    kill -9 $pid 2>/dev/null
    wait $pid 2>/dev/null
done
for _ in 1 2 3 4 5 6 7 8 9 10; do
    alive=$(grep -l "SLIPWAY_ROOT=$SLIPWAY_ROOT" /proc/[0-9]*/environ 2>/dev/null | grep -vc "/proc/self\|/proc/$$/" || true)
    [ "$alive" -le 2 ] && break
    sleep 0.2
done
is "nothing is mounted after $kills kills" "$(grep -c "$tmp" /proc/mounts)" 0
ok 'the next build succeeds' "$slipway" build -t after "$tmp/app"
is 'and gives the same image' "$("$slipway" inspect --format '{{.Digest}}' after)" "$want"
ok 'a build without the cache, too' "$slipway" build --no-cache -t after2 "$tmp/app"
is 'the same image again' "$("$slipway" inspect --format '{{.Digest}}' after2)" "$want"
is 'no temporary file stays' "$(find "$SLIPWAY_ROOT/slipway/tmp" -mindepth 1 ! -name '*lock*' | head -5)" ''
bad=0
for blob in "$SLIPWAY_ROOT"/blobs/sha256/*; do
    [ "$(sha256sum "$blob" | cut -d' ' -f1)" = "${blob##*/}" ] || bad=$((bad + 1))
done
is 'every blob is what its name says' "$bad" 0
ok 'the index is a JSON document' python3 -c 'import json,sys; json.load(open(sys.argv[1]))' "$SLIPWAY_ROOT/index.json"

# Ctrl-C ends the whole tree and says so.
printf 'FROM busybox\nRUN sleep 31.7\n' >"$tmp/app/Dockerfile"
"$slipway" build "$tmp/app" >"$tmp/out" 2>&1 &
pid=$!
for _ in $(seq 100); do grep -q 'sleep 31.7' /proc/[0-9]*/cmdline 2>/dev/null && grep -q RUN "$tmp/out" && break; sleep 0.05; done
sleep 0.2
kill -INT $pid
wait $pid
is 'an interrupted build ends with 130' $? 130
sleep 0.1
is 'and leaves no process' "$(grep -lz '^31.7$' /proc/[0-9]*/cmdline 2>/dev/null | wc -l)" 0
done_testing
