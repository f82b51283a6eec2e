#!/bin/sh
# --cache-to and --cache-from through registries: an empty machine runs nothing and fetches only what it needs.
. "$(dirname "$0")/lib.sh"
base_images
server= docker_server=
export DOCKER_CONFIG="$tmp/docker"
start() {
    rm -f "$tmp/port"
    "$slipway" registry serve -a 127.0.0.1:0 --port-file "$tmp/port" --data "$tmp/data" --open \
        --gc-interval 0 --access-log "$tmp/access" 2>>"$tmp/log" &
    server=$!
    n=0
    until [ -s "$tmp/port" ] || [ $n -ge 300 ]; do sleep 0.1; n=$((n + 1)); done
    at=127.0.0.1:$(cat "$tmp/port")
}
stop_all() { [ -z "$server" ] || { kill $server; wait $server; } 2>/dev/null; [ -z "$docker_server" ] || kill "$docker_server"; }
at_exit stop_all
digest() { "$slipway" inspect --format '{{.Digest}}' "$1"; }
ran() { grep -o ' ran [a-z0-9]*' "$tmp/out" | sort -u | tr -d '\n'; }
# machine NAME: an empty store, what it fetches counted from here
machine() { SLIPWAY_ROOT="$tmp/$1"; : >"$tmp/access"; }
# fetched: layer blobs that were sent by the registry, of repository $1
fetched() { grep -c "\"GET\".*/v2/$1/blobs/" "$tmp/access"; }
build() { "$slipway" build -t app "$@" "$tmp/app" >"$tmp/out" 2>&1; }

start
# The builder's base is not the result's, and has a layer of its own.
mkdir "$tmp/layer" && head -c 300000 /dev/urandom >"$tmp/layer/big"
printf 'FROM busybox\nCOPY big /big\n' >"$tmp/layer/Dockerfile"
"$slipway" build -q -t "$at/base/go:1" --push "$tmp/layer" >/dev/null 2>&1
"$slipway" tag busybox "$at/base/small:1" && "$slipway" push "$at/base/small:1" >/dev/null 2>&1
mkdir "$tmp/app"
cat >"$tmp/app/Dockerfile" <<D
FROM $at/base/go:1 AS builder
WORKDIR /src
COPY in .
RUN cat in in > out; echo "ran builder" >&2
RUN true
FROM $at/base/small:1
COPY --from=builder /src/out /out
WORKDIR /work
RUN echo made > /made; echo "ran final" >&2
COPY in /etc/
D
echo hello >"$tmp/app/in"

machine one
ok 'mode=max to a registry' build --cache-to "type=registry,ref=$at/cache:max,mode=max"
first=$(digest app)
like 'there is an image' "$first" '^sha256:'
is 'both stages ran' "$(ran)" ' ran builder ran final'
ok 'mode=min' build --cache-to "type=registry,ref=$at/cache:min"
is 'a build writes the same cache again' "$("$slipway" inspect --remote "$at/cache:max" 2>/dev/null)" \
    "$(build --cache-to "type=registry,ref=$at/cache:max,mode=max"; "$slipway" inspect --remote "$at/cache:max" 2>/dev/null)"

machine two
ok 'an empty machine builds from it' build --cache-from "type=registry,ref=$at/cache:max"
is 'nothing runs' "$(ran)" ''
is 'the same image' "$(digest app)" "$first"
is 'no layer of the base of the builder is fetched' "$(fetched base/go)" 1
is 'of the base of the result, its one layer' "$(fetched base/small)" 2
is 'of the cache, its records and the four layers of the result' "$(fetched cache)" 5
: >"$tmp/access"
ok 'again' build --cache-from "type=registry,ref=$at/cache:max"
is 'nothing more is fetched' "$(grep -c '"GET".*/blobs/' "$tmp/access")" 0
is 'the same image again' "$(digest app)" "$first"
ok 'without the cache' build
is 'the result needs no run' "$(ran)" ' ran builder'

machine three
ok 'every step is a hit' build --fail-on-miss --explain --cache-from "type=registry,ref=$at/cache:max"
is 'and is said to be' "$(grep -ci '^ *hit' "$tmp/out")" 8
ok 'a changed file' sh -c "echo changed >'$tmp/app/in'"
fails 'fails --fail-on-miss, and is named' 1 'not in the cache.*file in changed from' "$slipway" build --fail-on-miss --cache-from "$at/cache:max" "$tmp/app"
echo hello >"$tmp/app/in"
machine four
ok '--no-cache-filter' build --no-cache-filter builder --cache-from "type=registry,ref=$at/cache:max"
is 'runs that stage alone' "$(ran)" ' ran builder'
is 'to the same image' "$(digest app)" "$first"
machine five
ok 'mode=min has the result' build --cache-from "type=registry,ref=$at/cache:min"
is 'so the builder runs' "$(ran)" ' ran builder'
is 'to the same image, too' "$(digest app)" "$first"
machine six
ok 'a cache is passed on' build --cache-from "$at/cache:max" --cache-to "type=registry,ref=$at/cache:copy,mode=max"
is 'without a layer that the registry has' "$(fetched cache)" 5
machine seven
ok 'another repository' build --cache-from "$at/cache:max" --cache-to "type=registry,ref=$at/other/cache,mode=max"
machine eight
ok 'has all of it' build --fail-on-miss --cache-from "type=registry,ref=$at/other/cache"
is 'and the same image' "$(digest app)" "$first"
ok 'to a directory' build --cache-from "$at/cache:max" --cache-to "type=local,dest=$tmp/dir,mode=max"
machine nine
ok 'which has all of it' build --fail-on-miss --cache-from "type=local,src=$tmp/dir"
is 'the image is the same' "$(digest app)" "$first"

# inline
machine ten
ok 'type=inline' "$slipway" build -t "$at/team/app:1" --push --cache-to type=inline "$tmp/app"
inline=$(digest "$at/team/app:1")
machine eleven
ok 'the image is a cache' build --cache-to type=inline --cache-from "$at/team/app:1"
is 'of its own steps' "$(ran)" ' ran builder'
is 'and comes out the same' "$(digest app)" "$inline"
is 'with the same image ID as without' "$("$slipway" inspect --format '{{.Id}}' app)" \
    "$(SLIPWAY_ROOT="$tmp/one" "$slipway" inspect --format '{{.Id}}' app)"
machine squashed
ok 'a squashed image has no layers of steps' "$slipway" build -t "$at/team/flat:1" --push --squash --cache-to type=inline "$tmp/app"
machine unsquashed
ok 'and promises none' build --cache-from "$at/team/flat:1"
is 'so that all runs' "$(ran)" ' ran builder ran final'
is 'to the same image' "$(digest app)" "$first"

# Checks ask for bases that are not here.
machine checks
mkdir "$tmp/go" "$tmp/gobase" && printf 'module x\ngo 1.24\n' >"$tmp/go/go.mod"
printf 'FROM scratch\nENV GOLANG_VERSION=1.20.1\n' >"$tmp/gobase/Dockerfile"
"$slipway" build -q -t "$at/tools/compiler:1" --push "$tmp/gobase" >/dev/null 2>&1
printf 'FROM %s/tools/compiler:1 AS b\nRUN go build .\nFROM scratch\nCOPY --from=b /x /\n' "$at" >"$tmp/go/Dockerfile"
machine checks2
fails '--check knows a base of a registry' 1 GoBaseOlderThanModule "$slipway" build --check "$tmp/go"
is 'and fetches no layer' "$(fetched tools/compiler)" 1
is 'and keeps no image' "$("$slipway" images -q | wc -l)" 0

# Names
machine twelve
ok 'a bare repository' build --cache-to "$at/bare/app"
ok 'has a tag of its own' sh -c "'$slipway' tags '$at/bare/app' | grep -qx slipway-cache"
machine thirteen
ok 'and is found' build --cache-from "$at/bare/app"
is 'so that only the builder runs' "$(ran)" ' ran builder'
fails 'the name of the image is refused' 2 "the image's name, too" "$slipway" build -t "$at/x:1" --cache-to "type=registry,ref=$at/x:1" "$tmp/app"
for t in gha s3 azblob; do
    fails "type=$t" 1 "there is no type=$t here" "$slipway" build --cache-to "type=$t,scope=x" "$tmp/app"
done
fails 'no ref' 2 'ref=REFERENCE is missing' "$slipway" build --cache-from type=registry "$tmp/app"
fails 'an unknown key' 2 '"colour" is not understood' "$slipway" build --cache-to "type=registry,ref=$at/x,colour=red" "$tmp/app"
fails 'a mode that is none' 2 'mode is min or max' "$slipway" build --cache-to "type=registry,ref=$at/x,mode=most" "$tmp/app"
fails 'compression of another kind' 1 'say --compression zstd' "$slipway" build --cache-to "type=registry,ref=$at/x,compression=zstd" "$tmp/app"
fails 'inline to read' 2 'type=registry,ref=IMAGE' "$slipway" build --cache-from type=inline "$tmp/app"
ok 'all that is understood' build --cache-to "type=registry,ref=$at/x:keys,mode=max,image-manifest=true,oci-mediatypes=true,compression=gzip,force-compression=false,ignore-error=true"
ok "Docker's types" build --cache-to "type=registry,ref=$at/x:docker,mode=max,oci-mediatypes=false"
machine fourteen
ok 'are read' build --fail-on-miss --cache-from "$at/x:docker"

# Several platforms write one cache.
mkdir "$tmp/multi"
cat >"$tmp/multi/Dockerfile" <<D
FROM --platform=\$BUILDPLATFORM $at/base/small:1 AS tools
ARG TARGETARCH
RUN echo "\$TARGETARCH" > /arch; echo "ran \$TARGETARCH" >&2
FROM scratch
COPY --from=tools /arch /
D
both='--platform linux/amd64,linux/arm64'
machine platforms
"$slipway" build -t multi $both --cache-to "type=registry,ref=$at/multi:1,mode=max" "$tmp/multi" >"$tmp/out" 2>&1
is 'each platform has its own step' "$(ran)" ' ran amd64 ran arm64'
several=$(digest multi)
machine platforms2
ok 'and finds it in the cache' "$slipway" build -t multi $both --fail-on-miss --cache-from "$at/multi:1" "$tmp/multi"
is 'all of them' "$(digest multi)" "$several"

# --no-cache looks nothing up, here or there.
machine nothing
ok '--no-cache' build --no-cache --cache-from "$at/cache:max"
is 'runs everything' "$(ran)" ' ran builder ran final'

# An upload that is cut off: the name comes last, so a cache is whole or is not there.
mkdir "$tmp/cut"
printf 'FROM %s/base/small:1\nARG N\nRUN echo "$N"; head -c 3000000 /dev/urandom > /big\n' "$at" >"$tmp/cut/Dockerfile"
machine killed
for n in 1 2 3 4 5; do
    "$slipway" build -t "cut$n" --build-arg "N=$n" "$tmp/cut" >/dev/null 2>&1
    "$slipway" build --build-arg "N=$n" --cache-to "type=registry,ref=$at/cut:1" "$tmp/cut" >/dev/null 2>&1 &
    pid=$!
    sleep "0.0$((n * 2 - 1))"
    kill -9 $pid 2>/dev/null
    wait $pid 2>/dev/null
    SLIPWAY_ROOT="$tmp/after$n"
    out=$("$slipway" build --build-arg "N=$n" --cache-from "$at/cut:1" "$tmp/cut" 2>&1) || echo "$out" >>"$tmp/failed"
    printf '%s\n' "$out" | grep -q 'begins again' && echo "$out" >>"$tmp/failed"
    SLIPWAY_ROOT="$tmp/killed"
done
ok 'after five kills every cache is whole or not there' test ! -e "$tmp/failed"
ok 'and the next upload ends' "$slipway" build -t cut --build-arg N=5 --cache-to "type=registry,ref=$at/cut:1" "$tmp/cut"
last=$(digest cut)
machine killed2
ok 'it is read' "$slipway" build -t cut --build-arg N=5 --fail-on-miss --cache-from "$at/cut:1" "$tmp/cut"
is 'and is the image' "$(digest cut)" "$last"

# What goes wrong
ok 'a missing cache is a warning' build --cache-from "type=registry,ref=$at/none:1"
like 'that says so' "$(cat "$tmp/out")" "cache-from $at/none:1 is not used"
ok 'an image without records, too' build --cache-from "$at/base/small:1"
like 'and says why' "$(cat "$tmp/out")" 'no records of steps'
ok 'a registry that is not there' build --cache-from type=registry,ref=127.0.0.1:1/cache
fails 'is an error for --cache-to' 1 'cache-to 127.0.0.1:1' "$slipway" build --cache-to type=registry,ref=127.0.0.1:1/cache:1 "$tmp/app"
ok 'unless it is ignored' build --cache-to type=registry,ref=127.0.0.1:1/cache:1,ignore-error=true
like 'and said' "$(cat "$tmp/out")" 'WARN.*cache-to 127.0.0.1:1'

# Documents of strangers: DOCUMENT, as the records of a cache in a layout.
strange() {
    rm -rf "$tmp/strange" && mkdir -p "$tmp/strange/blobs/sha256"
    echo '{"imageLayoutVersion":"1.0.0"}' >"$tmp/strange/oci-layout"
    printf '%s' "$1" >"$tmp/config"
    config=$(sha256sum "$tmp/config" | cut -d' ' -f1)
    printf '{"schemaVersion":2,"mediaType":"application/vnd.oci.image.manifest.v1+json","config":{"mediaType":"application/vnd.slipway.cache.config.v1+json","digest":"sha256:%s","size":%s},"layers":[]}' \
        "$config" "$(wc -c <"$tmp/config" | tr -d ' ')" >"$tmp/manifest"
    manifest=$(sha256sum "$tmp/manifest" | cut -d' ' -f1)
    cp "$tmp/config" "$tmp/strange/blobs/sha256/$config" && cp "$tmp/manifest" "$tmp/strange/blobs/sha256/$manifest"
    printf '{"schemaVersion":2,"manifests":[{"mediaType":"application/vnd.oci.image.manifest.v1+json","digest":"sha256:%s","size":%s}]}' \
        "$manifest" "$(wc -c <"$tmp/manifest" | tr -d ' ')" >"$tmp/strange/index.json"
    build --cache-from "type=local,src=$tmp/strange"
}
ok 'a newer version is passed over' strange '{"version":2,"records":[]}'
like 'and said' "$(cat "$tmp/out")" 'version 2, which is not known here'
ok 'records that are none' strange '{"version":1,"records":[{"key":"x"}]}'
like 'are said, too' "$(cat "$tmp/out")" 'is not used: .*is no key'
ok 'no JSON' strange '{"version":1,"records":[' && like 'likewise' "$(cat "$tmp/out")" 'is not used'
ok 'a layer of an image that is none' strange "{\"version\":1,\"records\":[{\"key\":\"$(printf '%064d' 1)\",\"layer\":9}]}"
like 'is named' "$(cat "$tmp/out")" 'a layer that is not there'

# A layer that is damaged where it lies: the build begins again without the cache.
n=0
for f in $(find "$tmp/data/data" -type f -size -20); do # not the base, which nothing can replace
    [ "$(head -c 2 "$f" | od -An -tx1 | tr -d ' ')" = 1f8b ] || continue
    printf x | dd of="$f" bs=1 seek=15 conv=notrunc 2>/dev/null && n=$((n + 1))
done
ok 'layers are damaged' test $n -ge 3
machine fifteen
ok 'damaged layers fail no build' build --cache-from "$at/cache:max"
like 'and are said' "$(cat "$tmp/out")" 'the build begins again'
is 'everything runs' "$(ran)" ' ran builder ran final'
is 'to the image that it always was' "$(digest app)" "$first"
ok 'nor the next one' build
is 'which finds all of it here' "$(ran)" ''

# Another registry
if have docker-registry; then
    port=$(perl -MIO::Socket::INET -e 'print IO::Socket::INET->new(Listen=>1,LocalAddr=>"127.0.0.1")->sockport')
    printf 'version: 0.1\nstorage: {filesystem: {rootdirectory: %s}}\nhttp: {addr: "127.0.0.1:%s"}\n' "$tmp/docker-data" "$port" >"$tmp/docker.yml"
    docker-registry serve "$tmp/docker.yml" >"$tmp/docker.log" 2>&1 &
    docker_server=$!
    n=0
    until curl -sf "http://127.0.0.1:$port/v2/" >/dev/null || [ $n -ge 300 ]; do sleep 0.1; n=$((n + 1)); done
    there=127.0.0.1:$port/team/cache
    ok "Docker's registry takes it" build --cache-to "type=registry,ref=$there:1,mode=max"
    ok "with Docker's types" build --cache-to "type=registry,ref=$there:2,mode=max,oci-mediatypes=false"
    for t in 1 2; do
        machine peer$t
        ok "and gives it back ($t)" build --fail-on-miss --cache-from "type=registry,ref=$there:$t"
        is "to the same image ($t)" "$(digest app)" "$first"
    done
else
    skip "Docker's registry" 'docker-registry is not installed'
fi
done_testing
