#!/bin/sh
# The same as an ordinary user: the same digests, subordinate IDs or a single one.
. "$(dirname "$0")/lib.sh"
is_root || skip_all 'needs root to become an ordinary user'
base_images
as_user true || skip_all 'cannot become an ordinary user'
user_builds || skip_all 'this host has no user namespaces for ordinary users'
mkdir "$tmp/app"
cat >"$tmp/app/Dockerfile" <<'D'
FROM busybox AS builder
WORKDIR /app
COPY hello.txt ./
RUN cat hello.txt > out && id -u > uid && chmod 4755 out
FROM busybox
COPY --from=builder /app /app
COPY --chown=app:extra hello.txt /owned
RUN rm /etc/group && ln -s a /link && mkdir -p /d/e && echo x > /d/e/f
D
echo hello >"$tmp/app/hello.txt"
chmod -R a+rX "$tmp/app" "$tmp/busybox.tar"
ok 'root builds' "$slipway" build -t app "$tmp/app"
want=$("$slipway" inspect --format '{{.Digest}}' app)
ok 'the user imports the base' as_user "$slipway" import -c 'CMD ["sh"]' -c 'ENV PATH=/bin' "$tmp/busybox.tar" busybox:latest
ok 'the user builds' as_user "$slipway" build -t app "$tmp/app"
is 'the same digest' "$(as_user "$slipway" inspect --format '{{.Digest}}' app)" "$want"
is 'the user runs' "$(as_user "$slipway" run --network none app cat /app/out)" hello
is 'owners are right inside' "$(as_user "$slipway" run --network none app stat -c %u:%g /owned)" 1000:2000
is 'as another user of the image' "$(as_user "$slipway" run --network none -u app app id -u)" 1000
sed -i '/^slipway-test:/s/^/#/' /etc/subuid /etc/subgid
restore() { sed -i '/^#slipway-test:/s/^#//' /etc/subuid /etc/subgid; }
at_exit restore
single() { as_user env SLIPWAY_ROOT="$tmp/home/single" "$slipway" "$@"; }
ok 'without subordinate IDs: import' single import -c 'CMD ["sh"]' -c 'ENV PATH=/bin' "$tmp/busybox.tar" busybox:latest
ok 'without subordinate IDs: build' single build -t app "$tmp/app"
is 'without subordinate IDs: the same digest' "$(single inspect --format '{{.Digest}}' app)" "$want"
is 'without subordinate IDs: run' "$(single run --network none app cat /app/out)" hello
like 'doctor says so' "$(single doctor)" 'single'
restore
done_testing
