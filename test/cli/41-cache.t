#!/bin/sh
# Cache mounts: listed, exported, imported, pruned; the cap on the store.
. "$(dirname "$0")/lib.sh"
base_images
mkdir "$tmp/app"
cat >"$tmp/app/Dockerfile" <<'D'
FROM busybox
ARG N=1
RUN --mount=type=cache,id=gomod,target=/mod --mount=type=cache,target=/cache \
    echo $N >> /mod/runs; mkdir -p /mod/ro; [ -e /mod/ro/f ] || echo file > /mod/ro/f; chmod 555 /mod/ro; \
    ln -sf runs /mod/link; echo $N > /cache/n; chown 1000:1000 /mod/runs; cat /mod/runs > /out
D
build() { "$slipway" build --progress quiet "$@" "$tmp/app" >/dev/null 2>&1; }
ok 'a build with cache mounts' "$slipway" build "$tmp/app"
list=$("$slipway" cache list)
like 'they are listed by id' "$list" '^mount +gomod '
like 'or by target' "$list" '^mount +/cache '
is 'as JSON' "$("$slipway" cache list --format '{{.ID}} {{.Entries}}' | sort)" '/cache 1
gomod 4'
like 'steps, too' "$("$slipway" cache list -a)" '^step '
like 'what they take' "$("$slipway" cache du)" '^Cache mounts +2 '

is 'export says what it wrote' "$("$slipway" cache export "$tmp/all.tar.zst")" '/cache
gomod'
ok 'one of them' "$slipway" cache export --id gomod "$tmp/mod.tar.gz"
ok 'is a gzip archive' gzip -t "$tmp/mod.tar.gz"
like 'with the files' "$(tar -tzf "$tmp/mod.tar.gz")" '/data/ro/f$'
"$slipway" cache export - --id gomod >"$tmp/again" && "$slipway" cache export - --id gomod >"$tmp/again2"
ok 'the same content gives the same bytes' cmp "$tmp/again" "$tmp/again2"
fails 'a missing id is named' 1 'no cache mount "x"' "$slipway" cache export --id x "$tmp/x.tar"
fails 'no file is left' 2 'No such file' ls "$tmp/x.tar"

SLIPWAY_ROOT="$tmp/other"
base_images
is 'import into another store' "$("$slipway" cache import "$tmp/all.tar.zst")" '/cache
gomod'
build --build-arg N=2
is 'a build finds them' "$(cat "$tmp"/other/slipway/cachemounts/*/data/runs)" '1
2'
is_root && is 'with their owners' "$(stat -c %u "$tmp"/other/slipway/cachemounts/*/data/runs)" 1000
is 'modes' "$(stat -c %a "$tmp"/other/slipway/cachemounts/*/data/ro)" 555
is 'links' "$(readlink "$tmp"/other/slipway/cachemounts/*/data/link)" runs
ok 'importing again replaces' "$slipway" cache import "$tmp/mod.tar.gz"
is 'with what was exported' "$(cat "$tmp"/other/slipway/cachemounts/*/data/runs)" 1

head -c 300 "$tmp/mod.tar.gz" >"$tmp/cut.tar.gz"
fails 'a cut archive is refused' 1 '' "$slipway" cache import "$tmp/cut.tar.gz"
is 'and what was there stays' "$(cat "$tmp"/other/slipway/cachemounts/*/data/runs)" 1
fails 'other archives are refused' 1 'no archive of cache mounts' "$slipway" cache import "$tmp/busybox.tar"
mkdir -p "$tmp/evil/000000000000000000000000"
echo gomod >"$tmp/evil/000000000000000000000000/id"
tar -C "$tmp/evil" -cf "$tmp/evil.tar" 000000000000000000000000/id
fails 'an id under another name is refused' 1 "not its directory's" "$slipway" cache import "$tmp/evil.tar"
is 'nothing is left behind' "$(ls "$tmp/other/slipway/tmp" | wc -l)" 0

lock=$(dirname "$tmp"/other/slipway/cachemounts/*/data/runs)/../lock
like 'one in use is left alone' "$(flock "$lock" "$slipway" cache prune)" '1 cache mounts; 1 in use'
fails 'and not exported' 1 'gomod' flock "$lock" "$slipway" cache export --id gomod "$tmp/x.tar"
like '--unused-for' "$("$slipway" cache prune --unused-for 1h)" '0 cache mounts'
like '--dry-run' "$("$slipway" cache prune -n)" 'Would free.*1 cache mounts'
like 'prune by id' "$("$slipway" cache prune --id gomod)" '1 cache mounts'
is 'it is gone' "$("$slipway" cache list | grep -c gomod)" 0
ok 'a build starts anew' "$slipway" build --build-arg N=3 "$tmp/app"
is 'with an empty one' "$(cat "$tmp"/other/slipway/cachemounts/*/data/runs)" 3

# One for each owner.
mkdir "$tmp/own"
cat >"$tmp/own/Dockerfile" <<'D'
FROM busybox
USER app
RUN --mount=type=cache,id=own,uid=1000,target=/c touch /c/app
USER root
RUN --mount=type=cache,id=own,target=/c touch /c/root; ls /c >/root.txt
RUN --mount=type=cache,id=own,uid=1000,target=/c ls /c >/app.txt
D
ok 'caches of several owners' "$slipway" build -o "$tmp/own.out" "$tmp/own"
is 'are several' "$(cat "$tmp/own.out/root.txt" "$tmp/own.out/app.txt" | tr '\n' ' ')" 'root app '
is 'their ids say so' "$("$slipway" cache list | grep -o 'own[^ ]*' | sort | tr '\n' ' ')" 'own own,uid=1000,gid=0,mode=0755 '
is 'the id alone names all' "$("$slipway" cache export --id own "$tmp/own.tar" | wc -l)" 2
like 'all of it one' "$("$slipway" cache prune --id own,uid=1000,gid=0,mode=0755)" '1 cache mounts'

# The cap: what was not used for longest goes, what is named stays; else it is refused.
head -c 3000000 /dev/urandom >"$tmp/app/big"
printf 'FROM scratch\nCOPY big /\n' >"$tmp/app/Dockerfile"
fails 'a cap that cannot be kept is named' 1 'pass the limit of 1 MiB' "$slipway" build --store-cap 1m "$tmp/app"
fails 'from the environment' 1 'pass the limit of 1 MiB' env SLIPWAY_STORE_CAP=1m "$slipway" build "$tmp/app"
ok 'a larger one' "$slipway" build --store-cap 100m -t big "$tmp/app"
fails 'nonsense is refused' 2 'store cap of "x"' "$slipway" build --store-cap x "$tmp/app"

# Cache mounts count, and go when it is their turn.
cat >"$tmp/fat" <<'D'
FROM busybox
RUN --mount=type=cache,id=fat,target=/c head -c 4000000 /dev/zero | tr '\\0' x > /c/f
RUN --mount=type=cache,id=thin,target=/c echo thin > /c/f
D
SLIPWAY_ROOT="$tmp/third"
base_images
"$slipway" build -q -t fat -f "$tmp/fat" "$tmp/app" >/dev/null 2>&1
like 'du has cache mounts' "$("$slipway" du)" '^Cache mounts +2 '
du() { "$slipway" du --format "{{.$1}}"; }
ok 'with what they take' test "$(du mounts.bytes)" -ge 4000000
ok 'which could be given back' test "$(du mounts.reclaimable)" -ge 4000000
ok 'and is part of the total' test "$(du total_bytes)" -ge "$(($(du mounts.bytes) + $(du images.bytes)))"
mount_of() { dirname "$(grep -lx "$1" "$SLIPWAY_ROOT"/slipway/cachemounts/*/id)"; }
fat=$(mount_of fat) thin=$(mount_of thin)
old() { touch -d @1000000000 "$fat/lock" "$fat/data"; }
old
like 'one in use stays' "$(flock "$fat/lock" "$slipway" prune --keep-storage "$(($(du total_bytes) - 1000000))")" '0 cache mounts'
ok 'with its content' test -s "$fat/data/f"
like 'a prune without a size leaves them alone' "$("$slipway" prune --unused-for 1h)" '0 cache mounts'
like '--dry-run' "$("$slipway" prune -n --keep-storage "$(($(du total_bytes) - 1000000))")" '1 cache mounts'
ok 'removes nothing' test -s "$fat/data/f"
cap=$(($(du total_bytes) + 1000000))
ok 'a build with a cap that is passed' "$slipway" build -t big --store-cap "$cap" "$tmp/app"
ok 'empties the one unused for longest' test ! -e "$fat/data"
ok 'and not the other' test -s "$thin/data/f"
like 'what is named stays' "$("$slipway" images)" '^(.*/)?fat '
ok 'the mount is filled again' "$slipway" build --no-cache -f "$tmp/fat" "$tmp/app"
old
flock "$fat/lock" "$slipway" build --no-cache --store-cap "$(($(du total_bytes) + 1000))" "$tmp/app" >"$tmp/out" 2>&1
ok 'a cap takes nothing that is in use' test -s "$fat/data/f"
head -c 6000000 /dev/urandom >"$tmp/app/big"
fails 'rather it is refused' 1 'would pass the limit' flock "$fat/lock" "$slipway" build --store-cap 6500000 "$tmp/app"
ok 'and then, too' test -s "$fat/data/f"
done_testing
