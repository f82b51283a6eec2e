#!/bin/sh
# Twenty builds at once on one store: every image is what it would be alone, what they share is made once.
#   ROUNDS=N BUILDS=N COLLECT=1 (a collector beside them, so that steps may run again): test/long asks for more.
. "$(dirname "$0")/lib.sh"
base_images
rounds=${ROUNDS:-1} builds=${BUILDS:-20}
mkdir "$tmp/same" "$tmp/each" "$tmp/out"
head -c 200000 /dev/urandom >"$tmp/same/data" && cp "$tmp/same/data" "$tmp/each/data"
# Executions are counted in a cache mount: a line each.
cat >"$tmp/same/Dockerfile" <<'D'
FROM busybox AS tools
ARG ROUND
RUN --mount=type=cache,id=runs,target=/c echo "tools $ROUND" >> /c/runs; echo "$ROUND" > /tool
FROM busybox
COPY data /data
COPY --from=tools /tool /tool
RUN --mount=type=cache,id=runs,target=/c echo "same" >> /c/runs; md5sum /data /tool > /sum
D
cat >"$tmp/each/Dockerfile" <<'D'
FROM busybox AS tools
ARG ROUND
RUN --mount=type=cache,id=runs,target=/c echo "shared $ROUND" >> /c/runs; echo "$ROUND" > /tool
FROM busybox
COPY --from=tools /tool /tool
COPY data /data
ARG N
RUN --mount=type=cache,id=runs,target=/c echo "own $N" >> /c/runs; echo "$N" > /n
D
digest() { "$slipway" inspect --format '{{.Digest}}' "$1"; }
# at_once DIRECTORY ROUND [n: a number for each]: all of them, their status in $tmp/out
at_once() {
    pids=
    [ -z "${COLLECT:-}" ] || {
        while :; do "$slipway" prune >/dev/null 2>&1; done &
        collector=$!
    }
    for n in $(seq "$builds"); do
        ( "$slipway" build -q -t "img$n:$2" --build-arg "ROUND=$2" ${3:+--build-arg "N=$n"} "$1" >"$tmp/out/$n" 2>&1; echo $? >"$tmp/out/$n.status" ) &
        pids="$pids $!"
    done
    wait $pids
    [ -z "${COLLECT:-}" ] || { kill $collector; wait $collector; } 2>/dev/null
}
once() { [ -n "${COLLECT:-}" ] || is "$@"; } # what only holds where nothing is collected
succeeded() { cat "$tmp"/out/*.status | grep -cx 0; }
runs() { cat "$SLIPWAY_ROOT"/slipway/cachemounts/*/data/runs; }
digests() { for n in $(seq "$builds"); do digest "img$n:$1"; done; }

for round in $(seq "$rounds"); do
    rm -f "$tmp"/out/* "$SLIPWAY_ROOT"/slipway/cachemounts/*/data/runs
    at_once "$tmp/same" "$round"
    is "round $round: all of the same image succeed" "$(succeeded)" "$builds"
    is 'and are the same' "$(digests "$round" | sort -u | wc -l)" 1
    once 'each RUN ran once' "$(runs | sort)" "same
tools $round"
    at_once "$tmp/each" "$round" n
    is 'all of different images succeed' "$(succeeded)" "$builds"
    once 'what they share ran once' "$(runs | grep -c shared)" 1
    once 'what they do not, once for each' "$(runs | grep own | sort -u | wc -l) $(runs | grep -c own)" "$builds $builds"
    together=$(digests "$round")
    is 'and are different' "$(printf '%s\n' "$together" | sort -u | wc -l)" "$builds"
done
# The same ones in an empty store, one after the other.
shared_root=$SLIPWAY_ROOT
SLIPWAY_ROOT=$tmp/alone
base_images
for n in $(seq "$builds"); do
    "$slipway" build -q -t "img$n:$rounds" --build-arg "ROUND=$rounds" --build-arg "N=$n" "$tmp/each" >/dev/null 2>&1
done
is 'they are what they are alone' "$together" "$(digests "$rounds")"
SLIPWAY_ROOT=$shared_root
is 'nothing temporary is left' "$(ls "$SLIPWAY_ROOT/slipway/tmp" "$SLIPWAY_ROOT/slipway/locks" 2>/dev/null | grep -vc ':$\|^$')" 0
ok 'the store is whole' "$slipway" prune
is 'and every image is there' "$(for n in $(seq "$builds"); do "$slipway" run --rm "img$n:$rounds" cat /n; done | sort -n | tr '\n' ' ')" "$(seq "$builds" | tr '\n' ' ')"
done_testing
