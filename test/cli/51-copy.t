#!/bin/sh
# Images between registries, layouts, archives and the store, every pair; and inspected in place.
. "$(dirname "$0")/lib.sh"
need python3 curl

servers=
# serve NAME: an open registry; its address goes to the variable NAME
serve() {
    "$slipway" registry serve --open -a 127.0.0.1:0 --port-file "$tmp/port.$1" --data "$tmp/data.$1" \
        --gc-interval 0 2>"$tmp/log.$1" &
    servers="$servers $!"
    n=0
    until [ -s "$tmp/port.$1" ] || [ $n -ge 100 ]; do sleep 0.1; n=$((n + 1)); done
    eval "$1=127.0.0.1:$(cat "$tmp/port.$1")"
}
stop_servers() { [ -z "$servers" ] || { kill $servers; wait $servers; } 2>/dev/null; }
at_exit stop_servers
export DOCKER_CONFIG="$tmp/docker" HOME="$tmp/home"
mkdir "$HOME"
serve one
serve two
set -- $(python3 test/cli/ocilayout.py "$tmp/src")
index=$1 amd64=$2 arm64=$3
raw() { "$slipway" inspect --raw "$1" | sha256sum | cut -d' ' -f1; }
copy() { "$slipway" copy -q "$@"; }

# Every pair, one after the other: what comes out is what went in.
from=oci:$tmp/src:multi
for to in "$one/a/b:1" "$two/c:1" "oci:$tmp/l1:x" "store:app:1" "oci-archive:$tmp/a1:x" \
    "docker://$one/d:1" "oci:$tmp/l2:x" "$two/e:1" "oci-archive:$tmp/a2:x" "oci-archive:$tmp/a3" \
    "store:app:2" "oci-layout://$tmp/l3:x" "containers-storage:app:3" "$one/f:1" "oci:$tmp/l4"; do
    is "to ${to#*"$tmp"/}" "$(copy "$from" "$to")" "$index"
    case $to in *://* | *:/* | store:* | containers-storage:*) there=$to ;; *) there=docker://$to ;; esac
    is "and it is there" "sha256:$(raw "$there")" "$index"
    from=$to
done
is 'by digest' "$(copy "oci:$tmp/l4@$index" "$two/z:1")" "$index"
like 'a second copy sends nothing' "$("$slipway" copy "oci:$tmp/src:multi" "$one/f:2" 2>&1)" ' 0 blobs'

# One platform; docker's archives.
is 'one platform' "$(copy --platform linux/arm64 "$one/f:1" "$two/arm:1")" "$arm64"
fails 'a platform that is not there is refused, and says what is' 1 'linux/arm64' \
    "$slipway" copy --platform linux/s390x "$one/f:1" "$two/x:1"
is 'a docker archive has one platform' "$(copy --platform linux/amd64 "$one/f:1" "docker-archive:$tmp/d1:team/app:1")" "$amd64"
is 'and gives the same manifest back' "$(copy "docker-archive:$tmp/d1" "$two/back:1")" "$amd64"
like 'it has its name' "$(tar xOf "$tmp/d1" manifest.json)" '"RepoTags":\["team/app:1"\]'
ok 'load reads it' "$slipway" load -i "$tmp/d1"
like 'and tags it' "$("$slipway" images)" 'team/app'
# An archive as old docker and podman write it: configuration and layers, no manifest.
tar -C "$tmp" -xf "$tmp/d1" --one-top-level=old
(cd "$tmp/old" && rm oci-layout index.json && tar -cf "$tmp/d2" manifest.json blobs && gzip -k "$tmp/d2")
"$slipway" load -q -i "$tmp/d2" >/dev/null 2>&1 || "$slipway" load -i "$tmp/d2" >/dev/null 2>&1
was=$("$slipway" inspect --format '{{.Digest}}' team/app:1)
is 'an archive without a manifest copies to what load makes of it' "$(copy "docker-archive:$tmp/d2" "$two/old:1")" "$was"
is 'compressed as well' "$(copy "docker-archive:$tmp/d2.gz:team/app:1" "$two/old:2")" "$was"
fails 'a name that it does not have is refused' 1 'it has: team/app:1' "$slipway" copy "docker-archive:$tmp/d2:other:1" "$two/x:1"
: >"$tmp/empty"
fails 'an empty file is no archive' 1 'not an image archive' "$slipway" copy "oci-archive:$tmp/empty" "$two/x:1"
fails 'a missing one is said to be' 1 'No such file' "$slipway" copy "oci-archive:$tmp/none" "$two/x:1"
fails 'other transports are named' 1 'docker-daemon' "$slipway" copy docker-daemon:x:1 "$two/x:1"

# An index of which only some platforms are there.
cp -r "$tmp/src" "$tmp/sparse"
rm "$tmp/sparse/blobs/sha256/${arm64#sha256:}"
is 'a sparse index goes into an archive' "$(copy "oci:$tmp/sparse:multi" "oci-archive:$tmp/a4:x")" "$index"
fails 'but not into a registry' 1 'choose one' "$slipway" copy "oci:$tmp/sparse:multi" "$two/sparse:1"
is 'one platform of it does' "$(copy --platform linux/amd64 "oci:$tmp/sparse:multi" "$two/sparse:1")" "$amd64"

# A damaged blob is found wherever it goes.
cp -r "$tmp/src" "$tmp/bad"
layer=$("$slipway" inspect --format '{{index .Layers 1}}' --platform linux/amd64 "oci:$tmp/src:multi")
size=$(wc -c <"$tmp/bad/blobs/sha256/${layer#sha256:}")
head -c "$size" /dev/zero >"$tmp/bad/blobs/sha256/${layer#sha256:}"
for to in "$two/bad:1" "oci:$tmp/lbad:x" "oci-archive:$tmp/abad:x" store:bad:1; do
    fails "a damaged blob is not copied to ${to%%:*}" 1 'digest' \
        env SLIPWAY_ROOT="$tmp/root2" "$slipway" copy -q "oci:$tmp/bad:multi" "$to"
done
is 'and no archive is left' "$(ls "$tmp" | grep -c abad)" 0

# Signatures and SBOMs go along when they are asked for.
ok 'referrers to a registry' copy --referrers "oci:$tmp/src:multi" "$one/r:1"
like 'the index has its signature' "$("$slipway" referrers "$one/r:1")" 'application/x.signature'
like 'one image its SBOM' "$("$slipway" referrers "$one/r@$amd64")" 'application/x.sbom'
for to in "$two/r:1" "oci:$tmp/lr:x" "oci-archive:$tmp/ar:x"; do
    ok "referrers on to ${to%%:*}" copy --referrers "$one/r:1" "$to"
done
ok 'and out of the archive' copy --referrers "oci-archive:$tmp/ar:x" "$two/r:2"
like 'they are all there' "$("$slipway" referrers "$two/r@$amd64")" 'application/x.sbom'
is 'none without the word' "$(copy "$one/r:1" "$two/plain:1" >/dev/null; "$slipway" referrers "$two/plain:1")" ''
fails 'the store takes none' 1 'keeps no referrers' "$slipway" copy --referrers "$one/r:1" store:r:1

# A registry that knows nothing of referrers: they are listed under a tag.
if have docker-registry; then
    port=$(python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])')
    printf 'version: 0.1\nlog: {level: error, accesslog: {disabled: true}}\nstorage: {filesystem: {rootdirectory: %s}}\nhttp: {addr: "127.0.0.1:%s"}\n' \
        "$tmp/peer" "$port" >"$tmp/peer.yml"
    docker-registry serve "$tmp/peer.yml" >/dev/null 2>&1 &
    servers="$servers $!"
    n=0
    until curl -sf "http://127.0.0.1:$port/v2/" >/dev/null || [ $n -ge 100 ]; do sleep 0.1; n=$((n + 1)); done
    ok 'referrers to docker-registry' copy --referrers "oci:$tmp/src:multi" "127.0.0.1:$port/r:1"
    like 'are found by their tag' "$("$slipway" referrers "127.0.0.1:$port/r:1")" 'application/x.signature'
    ok 'and copied on' copy --referrers "127.0.0.1:$port/r:1" "$two/r:3"
    like 'to where they are known' "$("$slipway" referrers "$two/r@$amd64")" 'application/x.sbom'
else
    skip 'referrers by tag' 'docker-registry is missing'
fi

# inspect
is 'inspect: the digest' "$("$slipway" inspect --format '{{.Digest}}' "docker://$one/f:1")" "$index"
like 'inspect: fields' "$("$slipway" inspect --platform linux/arm64 "docker://$one/f:1")" '"ARCH=arm64"'
like 'inspect: tags' "$("$slipway" inspect --format '{{json .RepoTags}}' "docker://$one/f:1")" '\["1","2"\]'
like 'inspect: no tags' "$("$slipway" inspect -n --format '{{json .RepoTags}}' "docker://$one/f:1")" '^\[\]$'
like 'inspect: the configuration' "$("$slipway" inspect --config --platform linux/arm64 "oci-archive:$tmp/a1:x")" '"/arm64"'
is 'inspect: its bytes' "$("$slipway" inspect --config --raw "$amd64" | sha256sum | cut -c-9)" \
    "$("$slipway" inspect --config --raw "docker://$one/f@$amd64" | sha256sum | cut -c-9)"
like 'inspect: an artifact' "$("$slipway" inspect "docker://$one/r@$("$slipway" referrers "$one/r:1" | cut -d' ' -f1)")" '"ArtifactType": "application/x.signature"'
like 'inspect: the store as docker does' "$("$slipway" inspect app:1)" '"RepoTags"'
fails 'inspect: what is not there' 1 'MANIFEST_UNKNOWN' "$slipway" inspect "docker://$one/none:1"
ok 'tags with a transport' "$slipway" tags "docker://$one/f"
ok 'delete with a transport' "$slipway" delete "docker://$one/f:2"
ok 'push into an archive' "$slipway" push -q app:1 "oci-archive:$tmp/pushed:x"
ok 'pull out of one' "$slipway" pull -q --platform all "oci-archive:$tmp/pushed:x"
if have skopeo; then
    is 'skopeo reads the archive' "$(skopeo inspect --raw "oci-archive:$tmp/a1:x" | sha256sum | cut -d' ' -f1)" "${index#sha256:}"
    ok 'and docker'"'"'s' skopeo inspect "docker-archive:$tmp/d1:team/app:1"
    ok 'skopeo writes one' skopeo copy -q --all "oci:$tmp/src:multi" "oci-archive:$tmp/sk:x"
    is 'which we read' "$(copy "oci-archive:$tmp/sk:x" "$two/sk:1")" "$(skopeo inspect --raw "oci-archive:$tmp/sk:x" | sha256sum | sed 's/^/sha256:/; s/ .*//')"
    ok 'and an old docker archive' skopeo copy -q "oci:$tmp/src:multi" "docker-archive:$tmp/skd:sk:1"
    ok 'which we read, too' copy "docker-archive:$tmp/skd:sk:1" "$two/skd:1"
else
    skip 'archives to and from skopeo' 'skopeo is missing'
fi
done_testing
