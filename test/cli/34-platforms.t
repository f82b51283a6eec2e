#!/bin/sh
# Several platforms: indexes, shared stages, foreign programs.
. "$(dirname "$0")/lib.sh"
need python3
base_images
mkdir "$tmp/ctx"
host=$(uname -m)
case $host in x86_64) here=amd64 ;; aarch64) here=arm64 ;; *) skip_all "not tried on $host" ;; esac
cat >"$tmp/ctx/Dockerfile" <<'D'
FROM --platform=$BUILDPLATFORM busybox AS tools
RUN cat /proc/sys/kernel/random/uuid > /id
FROM --platform=$BUILDPLATFORM tools AS build
ARG TARGETARCH TARGETVARIANT
RUN echo "for $TARGETARCH$TARGETVARIANT" > /program
FROM scratch
COPY --from=build /program /id /
CMD ["/program"]
D
doc() { python3 - "$@" <<'P'
import json, os, sys, tarfile
layout, expr = sys.argv[1:3]
t = tarfile.open(layout)
def blob(d): return json.load(t.extractfile('blobs/sha256/' + d['digest'].split(':')[1]))
top = json.load(t.extractfile('index.json'))['manifests'][0]
index = blob(top)
manifests = [blob(m) for m in index.get('manifests', [])]
configs = [blob(m['config']) for m in manifests]
def file(i, name):
    l = tarfile.open(fileobj=t.extractfile('blobs/sha256/' + manifests[i]['layers'][0]['digest'].split(':')[1]), mode='r:*')
    return l.extractfile(name).read().decode().strip()
print(eval(expr))
P
}
ok 'three platforms' "$slipway" build --platform linux/amd64,linux/arm64 --platform linux/arm/v7 -t multi:1 -o type=oci,dest="$tmp/m.tar" \
    --annotation index:a=i --annotation b=m --annotation 'manifest[linux/arm64]:c=arm' --annotation manifest-descriptor:d=md "$tmp/ctx"
is 'an index' "$(doc "$tmp/m.tar" 'index["mediaType"]')" 'application/vnd.oci.image.index.v1+json'
is 'its platforms' "$(doc "$tmp/m.tar" '[m["platform"] for m in index["manifests"]]')" \
    "[{'architecture': 'amd64', 'os': 'linux'}, {'architecture': 'arm64', 'os': 'linux'}, {'architecture': 'arm', 'os': 'linux', 'variant': 'v7'}]"
is 'the platform of each configuration' "$(doc "$tmp/m.tar" '[(c["architecture"], c.get("variant")) for c in configs]')" "[('amd64', None), ('arm64', None), ('arm', 'v7')]"
is 'cross-compiled' "$(doc "$tmp/m.tar" '[file(i, "program") for i in range(3)]')" "['for amd64', 'for arm64', 'for armv7']"
is 'the pinned stage ran once' "$(doc "$tmp/m.tar" 'len({file(i, "id") for i in range(3)})')" 1
is 'annotations of the index' "$(doc "$tmp/m.tar" 'index["annotations"]')" "{'a': 'i'}"
is 'of manifests' "$(doc "$tmp/m.tar" '[m["annotations"] for m in manifests]')" "[{'b': 'm'}, {'b': 'm', 'c': 'arm'}, {'b': 'm'}]"
is 'of descriptors' "$(doc "$tmp/m.tar" '[m["annotations"] for m in index["manifests"]]')" "[{'d': 'md'}, {'d': 'md'}, {'d': 'md'}]"
ok 'without the cache' "$slipway" build --no-cache --platform linux/amd64,linux/arm64 -o type=oci,dest="$tmp/n.tar" "$tmp/ctx"
is 'it ran once, too' "$(doc "$tmp/n.tar" 'len({file(i, "id") for i in range(2)})')" 1
is 'and again' "$([ "$(doc "$tmp/n.tar" 'file(0, "id")')" != "$(doc "$tmp/m.tar" 'file(0, "id")')" ]; echo $?)" 0
is 'the same again is the same index' "$("$slipway" build -q --platform linux/amd64,linux/arm64 "$tmp/ctx" 2>/dev/null)" \
    "$("$slipway" build -q --platform linux/amd64,linux/arm64 "$tmp/ctx" 2>/dev/null)"
ok 'files, a directory a platform' "$slipway" build --platform linux/amd64,linux/arm64 -o "$tmp/files" "$tmp/ctx"
is 'their names' "$(cat "$tmp/files/linux_amd64/program" "$tmp/files/linux_arm64/program")" 'for amd64
for arm64'
is 'one platform gives a manifest' "$("$slipway" build -q --platform linux/arm64 -t one "$tmp/ctx" 2>/dev/null; "$slipway" inspect --format '{{.Architecture}}' one | tail -n 1)" \
    "$("$slipway" inspect --format '{{.Id}}' one)
arm64"
printf 'FROM multi:1\nCOPY Dockerfile /\n' >"$tmp/ctx/D2"
ok 'a base that is an index' "$slipway" build --platform linux/arm64 -t two -f "$tmp/ctx/D2" "$tmp/ctx"
is 'its own platform is taken' "$("$slipway" inspect --format '{{.Architecture}}' two)" arm64
fails 'a platform that the base lacks' 1 'has no image for linux/s390x, only for linux/amd64, linux/arm64, linux/arm/v7' \
    "$slipway" build --platform linux/s390x -f "$tmp/ctx/D2" "$tmp/ctx"
if [ $here = amd64 ]; then other=s390x; else other=riscv64; fi
if [ -e "/proc/sys/fs/binfmt_misc/qemu-$other" ]; then
    skip 'a foreign program' "an emulator for $other is installed"
else
    "$slipway" build --platform linux/$other -t foreign -f - "$tmp/rootfs" >/dev/null 2>&1 <<'D'
FROM scratch
COPY . /
D
    printf 'FROM foreign\nRUN true\n' >"$tmp/ctx/D3"
    fails 'a foreign program: what to install' 1 "cannot run programs for linux/$other: install an emulator .*qemu-user-static" \
        "$slipway" build --platform linux/$other -f "$tmp/ctx/D3" "$tmp/ctx"
fi
fails 'a platform twice is one; a bad one is refused' 2 'unknown|want|platform' "$slipway" build --platform linux/amd64,bad/arch/x/y "$tmp/ctx"
done_testing
