#!/bin/sh
# What a build's result looks like: --squash, -o and its keys, --metadata-file, --iidfile, options of
# docker buildx and buildah.
. "$(dirname "$0")/lib.sh"
need jq
base_images
b() { "$slipway" build -q "$@"; }
# layout DIR IMAGE: the image as an OCI layout, its manifest in $m, its configuration in $c
layout() {
    rm -rf "$1"
    "$slipway" save --format oci-dir -o "$1" "$2" || return 1
    m=$(blob "$1" "$(jq -r '.manifests[0].digest' "$1/index.json")")
    c=$(blob "$1" "$(jq -r .config.digest "$m")")
}
blob() { printf '%s/blobs/%s\n' "$1" "$2" | sed 's/sha256:/sha256\//'; }
# files IMAGE-OPTIONS...: the file system of a build as a sorted list with modes, owners, times and contents
files() {
    rm -rf "$tmp/f" && mkdir "$tmp/f"
    "$slipway" build -q -o - "$@" >"$tmp/f.tar" || return 1
    tar --numeric-owner --full-time -tvf "$tmp/f.tar" | sort
    tar -C "$tmp/f" -xf "$tmp/f.tar" --exclude=dev
    (cd "$tmp/f" && find . -type f -exec sha256sum {} + | sort)
}

# ---- squash ----
mkdir "$tmp/s" "$tmp/s/dir"
echo one >"$tmp/s/one"
echo two >"$tmp/s/dir/two"
cat >"$tmp/s/Dockerfile" <<'D'
FROM busybox AS base
RUN mkdir -p /old/sub /gone && echo a > /old/sub/a && echo b > /old/b && echo c > /gone/c && ln -s b /old/link && echo file > /turned
FROM base
COPY one /copied
RUN rm -r /gone /old/sub/a && rm /turned && mkdir /turned && echo in > /turned/in && chmod 700 /old/b
COPY dir /old/
RUN rm /copied && echo x > /x && ln /x /y && mkdir -m 1777 /sticky && chown 5:6 /x
ENV A=b
RUN rm /bin/md5sum
D
b -t base --target base "$tmp/s" >/dev/null
sed -i '1,2d; s/^FROM base/FROM base/' "$tmp/s/Dockerfile"
b -t plain "$tmp/s" >/dev/null
b -t squashed --squash "$tmp/s" >/dev/null
b -t all --squash-all "$tmp/s" >/dev/null
layout "$tmp/p" plain && plain_layers=$(jq '.layers | length' "$m")
layout "$tmp/b" base && base_top=$(jq -c '[.layers[].digest]' "$m")
is 'seven layers without it' "$plain_layers" 7
layout "$tmp/q" squashed
is '--squash: one above the base' "$(jq '.layers | length' "$m")" 3
is 'whose layers stay' "$(jq -c '[.layers[0:2][].digest]' "$m")" "$base_top"
is 'history and layers agree' "$(jq '[.history[] | select(.empty_layer | not)] | length' "$c")" 3
is 'the steps are still told' "$(jq '[.history[] | select(.created_by | test("^COPY one"))] | length' "$c")" 1
is 'the configuration stays' "$(jq -c '.config.Env' "$c")" '["PATH=/bin","A=b"]'
tar -tzf "$(blob "$tmp/q" "$(jq -r '.layers[2].digest' "$m")")" | LC_ALL=C sort >"$tmp/listed"
is 'what was never seen is not in it' "$(grep -c copied "$tmp/listed")" 0
is 'what the base had is marked as gone' "$(grep '\.wh\.' "$tmp/listed" | tr '\n' ' ')" \
    '.wh.gone bin/.wh.md5sum old/sub/.wh.a '
printf 'FROM plain\n' >"$tmp/f1" && printf 'FROM squashed\n' >"$tmp/f2" && printf 'FROM all\n' >"$tmp/f3"
files -f "$tmp/f1" "$tmp/s" >"$tmp/want"
files -f "$tmp/f2" "$tmp/s" >"$tmp/have"
ok 'the files are the same' diff "$tmp/want" "$tmp/have"
layout "$tmp/a" all
is '--squash-all: one layer' "$(jq '.layers | length' "$m")" 1
is 'and one history entry with a layer' "$(jq '[.history[] | select(.empty_layer | not)] | length' "$c")" 1
files -f "$tmp/f3" "$tmp/s" >"$tmp/have"
ok 'of the same files' diff "$tmp/want" "$tmp/have"
is 'no whiteout is left' "$(tar -tzf "$(blob "$tmp/a" "$(jq -r '.layers[0].digest' "$m")")" | grep -c '\.wh\.')" 0
is 'squashing is reproducible' "$(SLIPWAY_ROOT="$tmp/r2" sh -c '"$1" load -q -i "$2" >/dev/null; "$1" build -q --squash "$3"' - \
    "$slipway" "$("$slipway" save -o "$tmp/base.tar" base; echo "$tmp/base.tar")" "$tmp/s")" "$(b --squash "$tmp/s")"
if is_root && "$slipway" save -o "$tmp/base.tar" base && chmod 644 "$tmp/base.tar" && chmod -R a+rX "$tmp/s" &&
    as_user "$slipway" load -q -i "$tmp/base.tar" >"$tmp/.out" 2>&1; then
    is 'and the same for an ordinary user' "$(as_user "$slipway" build -q --squash "$tmp/s" 2>&1)" "$(b --squash "$tmp/s")"
else
    skip 'and the same for an ordinary user' 'no root, or no other user'
fi
is 'and without an overlay' "$(SLIPWAY_FAULT=overlay:1+:ENOSYS SLIPWAY_ROOT="$tmp/r3" sh -c '"$1" load -q -i "$2" >/dev/null; "$1" build -q --squash "$3"' - \
    "$slipway" "$tmp/base.tar" "$tmp/s")" "$(b --squash "$tmp/s")"
ln -s "$slipway" "$tmp/buildah"
"$tmp/buildah" bud -q -t bud --squash "$tmp/s" >/dev/null
layout "$tmp/d" bud
is 'called as buildah, --squash is everything' "$(jq '.layers | length' "$m")" 1
if have skopeo && have umoci; then
    skopeo copy -q "oci:$tmp/q:$(jq -r '.manifests[0].annotations["org.opencontainers.image.ref.name"]' "$tmp/q/index.json")" "oci:$tmp/u:t"
    ok 'umoci unpacks it' sh -c 'umoci unpack --rootless --image "$1:t" "$2" && test ! -e "$2/rootfs/gone" && test "$(cat "$2/rootfs/y")" = x' - "$tmp/u" "$tmp/bundle"
else
    skip 'umoci unpacks it' 'no umoci'
fi

# ---- compression, times ----
mkdir "$tmp/young" && echo young >"$tmp/young/file"
touch -d @1700000000 "$tmp/young/file"
tar -C "$tmp/young" --owner=0 --group=0 --mtime=@1700000000 -czf "$tmp/young.tar.gz" .
"$slipway" import "$tmp/young.tar.gz" young:1 >/dev/null
printf 'FROM young:1\nCOPY one /\n' >"$tmp/s/Young"
types() { jq -r '.layers[].mediaType' "$m" | sed 's/.*tar//' | tr '\n' ' '; }
b -t y1 -f "$tmp/s/Young" "$tmp/s" >/dev/null && layout "$tmp/y" y1
kept=$(jq -r '.layers[0].digest' "$m") kept_diff=$(jq -r '.rootfs.diff_ids[0]' "$c")
b -t y2 -f "$tmp/s/Young" -o type=image,compression=zstd "$tmp/s" >/dev/null && layout "$tmp/y" y2
is 'compression=zstd is for new layers' "$(types)" '+gzip +zstd '
is 'the base is left alone' "$(jq -r '.layers[0].digest' "$m")" "$kept"
b -t y3 -f "$tmp/s/Young" -o type=image,compression=zstd,compression-level=9,force-compression=true "$tmp/s" >/dev/null &&
    layout "$tmp/y" y3
is 'force-compression: for all' "$(types)" '+zstd +zstd '
is 'with the same archives' "$(jq -r '.rootfs.diff_ids[0]' "$c")" "$kept_diff"
if have zstd; then
    is 'which zstd reads' "$(zstd -dc "$(blob "$tmp/y" "$(jq -r '.layers[0].digest' "$m")")" | sha256sum | cut -c 1-64)" "${kept_diff#sha256:}"
else
    skip 'which zstd reads' 'no zstd'
fi
b -t y4 -f "$tmp/s/Young" -o type=image,compression=uncompressed,force-compression=true "$tmp/s" >/dev/null && layout "$tmp/y" y4
is 'uncompressed' "$(types)" '  '
is 'the layer is its archive' "$(jq -r '.layers[0].digest' "$m")" "$kept_diff"
fails 'estargz' 1 'estargz is not written' "$slipway" build -o type=image,compression=estargz "$tmp/s"
fails 'a compression that is none' 2 'want gzip, zstd' "$slipway" build -o type=image,compression=lz4 "$tmp/s"
SOURCE_DATE_EPOCH=1500000000 b -t y5 -f "$tmp/s/Young" "$tmp/s" >/dev/null && layout "$tmp/y" y5
is 'times of the base are its own' "$(jq -r '.layers[0].digest' "$m")" "$kept"
SOURCE_DATE_EPOCH=1500000000 b -t y6 -f "$tmp/s/Young" -o type=image,rewrite-timestamp=true "$tmp/s" >/dev/null && layout "$tmp/y" y6
ok 'unless rewrite-timestamp' test "$(jq -r '.layers[0].digest' "$m")" != "$kept"
is 'then they are the epoch' "$(tar --full-time -tvzf "$(blob "$tmp/y" "$(jq -r '.layers[0].digest' "$m")")" |
    awk '{print $4, $5}' | sort -u)" '2017-07-14 02:40:00'
is 'with the same content' "$(tar -xOzf "$(blob "$tmp/y" "$(jq -r '.layers[0].digest' "$m")")" ./file)" young
is 'the same from buildah'"'"'s option' "$(SOURCE_DATE_EPOCH=1500000000 b -f "$tmp/s/Young" --rewrite-timestamp "$tmp/s")" \
    "$(SOURCE_DATE_EPOCH=1500000000 b -f "$tmp/s/Young" -o type=image,rewrite-timestamp=true "$tmp/s")"
SOURCE_DATE_EPOCH=1800000000 b -t y7 -f "$tmp/s/Young" --rewrite-timestamp "$tmp/s" >/dev/null && layout "$tmp/y" y7
is 'a layer without younger times stays' "$(jq -r '.layers[0].digest' "$m")" "$kept"

# ---- outputs ----
printf 'FROM busybox\nCOPY one /\n' >"$tmp/s/Dockerfile"
ok 'several outputs' "$slipway" build -t multi -o "type=oci,dest=$tmp/o.tar" -o "type=local,dest=$tmp/tree" -o "type=docker,dest=$tmp/d.tar" "$tmp/s"
ok 'the archive' sh -c 'tar -tf "$1" | grep -q ^index.json' - "$tmp/o.tar"
is 'the files' "$(cat "$tmp/tree/one")" one
ok 'docker'"'"'s archive' sh -c 'tar -tf "$1" | grep -q ^manifest.json' - "$tmp/d.tar"
like 'and the image' "$("$slipway" images)" '^multi '
b -o "type=oci,tar=false,dest=$tmp/oci,name=named:1" "$tmp/s" >/dev/null
is 'a layout, named' "$(jq -r '.manifests[0].annotations["org.opencontainers.image.ref.name"]' "$tmp/oci/index.json")" named:1
ok 'that the store has, too' "$slipway" inspect named:1
b -o 'type=image,"name=two:1,two:2"' "$tmp/s" >/dev/null
ok 'two names in quotes' "$slipway" inspect two:1 two:2
b -t dt -o type=image,oci-mediatypes=false "$tmp/s" >/dev/null
like 'oci-mediatypes=false' "$("$slipway" inspect --format '{{.MediaType}}' dt)" 'docker.distribution.manifest.v2'
b -t dt2 --format docker "$tmp/s" >/dev/null
is '--format docker is the same' "$("$slipway" inspect --format '{{.Digest}}' dt2)" "$("$slipway" inspect --format '{{.Digest}}' dt)"
ok 'buildinfo is accepted' "$slipway" build -o type=image,buildinfo=true,unpack=true "$tmp/s"
fails 'an unknown key' 2 'unknown key "colour"' "$slipway" build -o type=image,colour=red "$tmp/s"
fails 'an unknown type' 2 'unknown type' "$slipway" build -o type=floppy,dest=x "$tmp/s"
fails 'push without a name' 2 'needs a name' "$slipway" build -o type=registry "$tmp/s"
fails 'two streams' 2 'standard output' "$slipway" build -o type=tar,dest=- -o type=oci,dest=- "$tmp/s"

# ---- metadata ----
id=$(b -t meta:1 -t other --iidfile "$tmp/iid" --metadata-file "$tmp/meta" "$tmp/s")
is '--iidfile' "$(cat "$tmp/iid")" "$id"
is 'the image ID' "$(jq -r '.["containerimage.config.digest"]' "$tmp/meta")" "$id"
is 'the digest' "$(jq -r '.["containerimage.digest"]' "$tmp/meta")" "$("$slipway" inspect --format '{{.Digest}}' meta:1)"
is 'the descriptor' "$(jq -c '.["containerimage.descriptor"] | [.digest, .platform.os]' "$tmp/meta")" \
    "[\"$("$slipway" inspect --format '{{.Digest}}' meta:1)\",\"linux\"]"
is 'the names' "$(jq -r '.["image.name"]' "$tmp/meta")" docker.io/library/meta:1,docker.io/library/other:latest
is 'no provenance unless asked for' "$(jq 'has("buildx.build.provenance")' "$tmp/meta")" false
b --metadata-file "$tmp/meta" --iidfile "$tmp/iid" --platform linux/amd64,linux/arm64 -f - "$tmp/s" >"$tmp/out" <<'D'
FROM scratch
COPY one /
D
is 'of several platforms the index' "$(cat "$tmp/iid")" "$(cat "$tmp/out")"
is 'and its digest' "$(jq -r '.["containerimage.digest"]' "$tmp/meta")" "$(cat "$tmp/iid")"
is 'no image ID' "$(jq 'has("containerimage.config.digest")' "$tmp/meta")" false

# ---- options of others ----
cat >"$tmp/s/Dockerfile" <<'D'
FROM busybox
RUN echo "$FROM_ENV" >/env; grep -c fourteen /mnt/file >/seen; cat /etc/resolv.conf >/dns
LABEL own=1
D
mkdir "$tmp/vol" && echo fourteen >"$tmp/vol/file"
printf 'FROM busybox\nLABEL old=1 bad=2\nENV DROP=me KEEP=you\n' | "$slipway" build -q -t labelled -f - "$tmp/s" >/dev/null
b -t opts --env FROM_ENV=given -v "$tmp/vol:/mnt:ro" --dns 192.0.2.1 --dns-search example.org --dns-option ndots:2 "$tmp/s" >/dev/null
b --env FROM_ENV=given -v "$tmp/vol:/mnt:ro" --dns 192.0.2.1 --dns-search example.org --dns-option ndots:2 -o "$tmp/opts" "$tmp/s"
out=$(cat "$tmp/opts/env" "$tmp/opts/seen" "$tmp/opts/dns")
is '--env, -v, --dns' "$out" 'given
1
nameserver 192.0.2.1
search example.org
options ndots:2'
like '--env is in the image' "$("$slipway" inspect --format '{{json .Config.Env}}' opts)" '"FROM_ENV=given"'
b -t from --from labelled --unsetenv DROP --unsetlabel bad "$tmp/s" >/dev/null 2>&1 ||
    b -t from --from labelled -v "$tmp/vol:/mnt" --unsetenv DROP --unsetlabel bad "$tmp/s" >/dev/null
is '--from, --unsetlabel' "$("$slipway" inspect --format '{{json .Config.Labels}}' from)" '{"old":"1","own":"1"}'
is '--unsetenv' "$("$slipway" inspect --format '{{json .Config.Env}}' from)" '["PATH=/bin","KEEP=you"]'
b -t bare --from labelled -v "$tmp/vol:/mnt" --inherit-labels=false --omit-history --os-version 1.2 "$tmp/s" >/dev/null
is '--inherit-labels=false' "$("$slipway" inspect --format '{{json .Config.Labels}}' bare)" '{"own":"1"}'
layout "$tmp/bare" bare
is '--omit-history, --os-version' "$(jq -c '[.history, ."os.version"]' "$c")" '[null,"1.2"]'
printf 'FROM scratch\nCOPY one /\n' >"$tmp/s/Scratch"
b -t arm -f "$tmp/s/Scratch" --arch arm64 "$tmp/s" >/dev/null
is '--arch' "$("$slipway" inspect --format '{{.Architecture}}' arm)" arm64
ok 'what has no effect is accepted' "$slipway" build --layers --rm=false --isolation chroot --cgroup-parent /x --cpu-shares 5 \
    --identity-label=false --layer-label a=b --created-annotation=false --retry 2 --compress --memory-swap=-1 -m 1g \
    --security-opt label=disable --skip-unused-stages --userns container --tls-verify --pull=never -f "$tmp/s/Scratch" "$tmp/s"
ok '--logfile' sh -c '"$1" build --logfile "$2" -f "$3/Scratch" "$3" 2>&1 | { ! grep .; }' - "$slipway" "$tmp/log" "$tmp/s"
like 'has the progress' "$(cat "$tmp/log")" 'COPY one'
for o in --all-platforms --cw=x --creds=a:b --device=/dev/null --manifest=m --sign-by=me --tls-verify=false --userns=host \
    --pid=host --stdin --hooks-dir=/x --cpp-flag=-Dx --cache-ttl=1h --sbom-output=f --group-add=x; do
    fails "$o is refused with a reason" 1 'is not supported: ' "$slipway" build "$o" -f "$tmp/s/Scratch" "$tmp/s"
done
fails 'an option that nobody has' 2 'unknown option' "$slipway" build --frobnicate "$tmp/s"
printf 'FROM 127.0.0.1:1/x:1\n' >"$tmp/s/Dockerfile"
"$slipway" tag busybox 127.0.0.1:1/x:1
ok 'a base in the store is not asked for' "$slipway" build "$tmp/s"
fails '--pull asks' 1 'base image .*--pull' "$slipway" build --pull "$tmp/s"
ok '--pull=newer makes do with it' "$slipway" build --pull=newer "$tmp/s"
fails '--pull=sometimes' 2 'want missing, always, newer or never' "$slipway" build --pull=sometimes "$tmp/s"
done_testing
