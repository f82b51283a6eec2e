#!/bin/sh
# Hosts that lack something: file systems that cannot be under an overlay, no fuse, no more user
# namespaces, root without CAP_SYS_ADMIN. Each build works and gives the same digest, or says why not.
. "$(dirname "$0")/lib.sh"
is_root || skip_all 'needs root'
need unshare setpriv
unshare -m true 2>/dev/null || skip_all 'mount namespaces cannot be made'
base_images
mkdir "$tmp/app" "$tmp/mnt"
cat >"$tmp/app/Dockerfile" <<'D'
FROM busybox AS one
RUN mkdir -p /d/e; echo 1 >/d/f; chmod 1751 /d; ln /d/f /d/g; rm -r /home; mkdir -p /home/x; \
    rm /etc/group; touch /n; rm /n; mkdir /n
RUN rm -r /d; mkdir /d; echo 2 >/d/x; mv /etc/passwd /etc/was; echo y >>/etc/was; touch /bin/busybox
FROM one
RUN --mount=type=bind,from=one,source=/d,target=/m cp /m/x /y
COPY --from=one / /all/
D
cat >"$tmp/one.sh" <<'S'
# one.sh ROOT: what a build in this root gives; the way that RUN goes, from doctor
mkdir -p "$1"
export SLIPWAY_ROOT=$1
"$slipway" import -c 'CMD ["sh"]' -c 'ENV PATH=/bin' "$tmp/busybox.tar" busybox:latest >/dev/null
"$slipway" build -q "$tmp/app" 2>&1
"$slipway" doctor 2>/dev/null | sed -n 's/.* overlay  *\([a-z-]*\).*/\1/p'
S
export slipway tmp
# host NAME WAY SETUP ROOT: a build after SETUP in a mount namespace of its own
host() {
    got=$(unshare -m sh -c "$3 >/dev/null 2>&1 || exit 99; sh '$tmp/one.sh' '$4'" 2>&1)
    if [ $? = 99 ]; then
        skip "$1" 'this host cannot be made like it'
        return
    fi
    is "$1: $2, the same digest" "$(printf '%s' "$got" | tr '\n' ' ')" "$want $2"
}

want=$("$slipway" build -q "$tmp/app" 2>/dev/null)
like 'the digest to be had' "$want" '^sha256:'
no_fuse='mount --bind /dev/null /dev/fuse'
ramfs='mount -t ramfs none "$tmp/mnt"'
overlay='mount -t tmpfs none "$tmp/mnt" && cd "$tmp/mnt" && mkdir l u w m && mount -t overlay overlay -o lowerdir=l,upperdir=u,workdir=w m && cd /'
[ -e /dev/fuse ] || no_fuse=true
host 'a file system without whiteouts' copying "$ramfs && $no_fuse" "$tmp/mnt/r"
host 'a store on an overlay' copying "$overlay && $no_fuse" "$tmp/mnt/m/r"
if have fuse-overlayfs && [ -w /dev/fuse ]; then
    host 'fuse on a file system without whiteouts' fuse-overlayfs "$ramfs" "$tmp/mnt/r"
    host 'fuse on an overlay' fuse-overlayfs "$overlay" "$tmp/mnt/m/r"
fi
if unshare -Urm true 2>/dev/null; then
    got=$(setpriv --bounding-set=-sys_admin --inh-caps=-sys_admin sh "$tmp/one.sh" "$tmp/cap" 2>&1 | head -n 1)
    is 'root without CAP_SYS_ADMIN enters a user namespace' "$got" "$want"
    got=$(unshare -Urm sh -c 'echo 0 >/proc/sys/user/max_user_namespaces && exec sh "$0" "$1"' "$tmp/one.sh" "$tmp/max" 2>&1 | head -n 1)
    is 'root where no user namespaces can be made' "$got" "$want"
    fails 'neither' 1 'user namespace.*user.max_user_namespaces' unshare -Urm sh -c 'echo 0 >/proc/sys/user/max_user_namespaces &&
        exec setpriv --bounding-set=-sys_admin --inh-caps=-sys_admin "$slipway" build "$tmp/app"'
else
    skip 'user namespaces' 'this host has none'
fi
like 'a store that is no file system for overlays is said to be' \
    "$(unshare -m sh -c "$overlay && $no_fuse; SLIPWAY_ROOT='$tmp/mnt/m/r' '$slipway' doctor" 2>/dev/null)" 'overlay: .*--root'
done_testing
