#!/bin/sh
# --cache-to and --cache-from: a machine that starts empty.
. "$(dirname "$0")/lib.sh"
base_images
mkdir "$tmp/app"
cat >"$tmp/app/Dockerfile" <<'D'
FROM busybox AS builder
WORKDIR /src
COPY in .
RUN cat in in > out; echo "ran builder" >&2
RUN true
FROM busybox
COPY --from=builder /src/out /out
RUN echo made > /made; echo "ran final" >&2
D
echo hello >"$tmp/app/in"
digest() { "$slipway" inspect --format '{{.Digest}}' "$1"; }
empty_store() {
    SLIPWAY_ROOT="$tmp/$1"
    base_images
}
ok 'mode=max' "$slipway" build -t app --cache-to "type=local,dest=$tmp/max,mode=max" "$tmp/app"
ok 'mode=min' "$slipway" build -t app --cache-to "type=local,dest=$tmp/min" "$tmp/app"
first=$(digest app)
like 'there is an image' "$first" '^sha256:'
ok 'it is an OCI layout' test -e "$tmp/max/oci-layout"
ok 'min has less than max' test "$(ls "$tmp/min/blobs/sha256" | wc -l)" -lt "$(ls "$tmp/max/blobs/sha256" | wc -l)"
before=$(ls "$tmp/max/blobs/sha256" | sort)
ok 'again' "$slipway" build --cache-to "type=local,dest=$tmp/max,mode=max" "$tmp/app"
is 'gives the same' "$(ls "$tmp/max/blobs/sha256" | sort)" "$before"

empty_store two
out=$("$slipway" build -t app --cache-from "type=local,src=$tmp/max" "$tmp/app" 2>&1)
is 'another machine runs nothing' "$(printf '%s\n' "$out" | grep -c ' ran ')" 0
is 'and makes the same image' "$(digest app)" "$first"
empty_store three
out=$("$slipway" build -t app --fail-on-miss --cache-from "type=local,src=$tmp/max" "$tmp/app" 2>&1)
is 'every step is a hit' "$?" 0
empty_store four
out=$("$slipway" build -t app --cache-from "type=local,src=$tmp/min" "$tmp/app" 2>&1)
is 'with min the builder runs, the result does not' "$(printf '%s\n' "$out" | grep -o ' ran [a-z]*' | sort -u)" ' ran builder'
is 'the same image' "$(digest app)" "$first"

empty_store five
SOURCE_DATE_EPOCH=5000 "$slipway" build -t cold --no-cache "$tmp/app" >/dev/null 2>&1
cold=$(digest cold)
empty_store six
out=$(SOURCE_DATE_EPOCH=5000 "$slipway" build -t app --cache-from "type=local,src=$tmp/max" "$tmp/app" 2>&1)
is 'another SOURCE_DATE_EPOCH runs nothing' "$(printf '%s\n' "$out" | grep -c ' ran ')" 0
is 'and has the bytes of a cold build' "$(digest app)" "$cold"
empty_store seven
out=$("$slipway" build --compression zstd --cache-from "type=local,src=$tmp/max" "$tmp/app" 2>&1)
is 'nor does another compression' "$(printf '%s\n' "$out" | grep -c ' ran ')" 0

empty_store eight
out=$("$slipway" build --cache-from "type=local,src=$tmp/none" "$tmp/app" 2>&1)
is 'a missing cache fails no build' "$?" 0
like 'but is said' "$out" 'cache-from.*is not used'
empty_store nine
cp -r "$tmp/max" "$tmp/bad"
for f in "$tmp"/bad/blobs/sha256/*; do printf x | dd of="$f" bs=1 seek=20 conv=notrunc 2>/dev/null; done
out=$("$slipway" build -t app --cache-from "type=local,src=$tmp/bad" "$tmp/app" 2>&1)
is 'nor a damaged one' "$?" 0
is 'which changes nothing' "$(digest app)" "$first"
fails 'another type' 1 'there is no type=gha here' "$slipway" build --cache-from type=gha "$tmp/app"
fails 'no directory' 2 'dest=DIR is missing' "$slipway" build --cache-to type=local "$tmp/app"
done_testing
