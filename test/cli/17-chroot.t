#!/bin/sh
# Building as root of a chroot, whose root is no mount (sbuild, mock, an installer), and that no mount is left above it.
. "$(dirname "$0")/lib.sh"
[ "$(id -u)" = 0 ] || skip_all 'only root can chroot'
unshare -m true 2>/dev/null || skip_all 'no mount namespaces here'
base_images
mkdir -p "$tmp/ch/proc" "$tmp/ch/dev" "$tmp/ch/etc" "$tmp/ch/ctx" "$tmp/ch/store" "$tmp/ch/tmp"
chmod 1777 "$tmp/ch/tmp"
for d in bin sbin lib lib32 lib64 libx32; do
    [ -L "/$d" ] && cp -P "/$d" "$tmp/ch/$d"
    [ -d "/$d" ] && [ ! -L "/$d" ] && mkdir "$tmp/ch/$d"
done
mkdir "$tmp/ch/usr"
cp "$slipway" "$tmp/ch/slipway"
cp /etc/passwd /etc/group "$tmp/ch/etc/"
cp "$tmp/busybox.tar" "$tmp/ch/"
printf 'FROM busybox\nRUN echo one > /a; rm -r /home; mkdir /home\nCOPY f /f\n' >"$tmp/ch/ctx/Dockerfile"
echo data >"$tmp/ch/ctx/f"
cat >"$tmp/in-chroot" <<'SH'
set -e
mount --make-rshared /
for d in usr lib lib64 bin sbin lib32 libx32; do [ -L "/$d" ] || [ ! -d "/$d" ] || mount --rbind "/$d" "$1/$d"; done
mount -t proc proc "$1/proc"
mount --rbind /dev "$1/dev"
before=$(wc -l </proc/self/mountinfo)
env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin HOME=/tmp SLIPWAY_ROOT=/store chroot "$1" sh -c '
/slipway import -c "CMD [\"sh\"]" -c "ENV PATH=/bin" /busybox.tar busybox:latest >/dev/null && /slipway build -q -t x /ctx && /slipway run --rm x cat /a'
[ "$(wc -l </proc/self/mountinfo)" = "$before" ] && echo no mount is left
SH
unshare -m sh "$tmp/in-chroot" "$tmp/ch" >"$tmp/out" 2>&1 || diag "$(cat "$tmp/out")"
"$slipway" import -c 'CMD ["sh"]' -c 'ENV PATH=/bin' "$tmp/busybox.tar" busybox:latest >/dev/null
is 'the same image as outside' "$(head -1 "$tmp/out")" "$("$slipway" build -q "$tmp/ch/ctx")"
is 'a container runs in a chroot' "$(sed -n 2p "$tmp/out")" one
is 'mounts stay inside' "$(sed -n 3p "$tmp/out")" 'no mount is left'
done_testing
