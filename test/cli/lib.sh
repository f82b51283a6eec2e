# What the command-line tests share: TAP, a store of their own, base images. Source it first:
#     . "$(dirname "$0")/lib.sh"
# Sets: slipway (the program), tmp (removed at the end), SLIPWAY_ROOT (a fresh store in tmp).
# Tests call ok, is, like, fails, skip_all, skip; and done_testing at the end.
set -u
cd "$(dirname "$0")/../.." || exit 2
top=$PWD
slipway=${SLIPWAY:-$top/build/src/cmd/slipway}
umask 022
tmp=$(mktemp -d "${TMPDIR:-/tmp}/slipway-test.XXXXXX") || exit 2
chmod 755 "$tmp"
export SLIPWAY_ROOT="$tmp/root"
unset SOURCE_DATE_EPOCH DOCKER_CONFIG BUILDKIT_PROGRESS NO_COLOR DOCKER_DEFAULT_PLATFORM SLIPWAY_LOG
export BUILDKIT_PROGRESS=plain
test_number=0 test_failures=0 cleanups=''

finish() {
    status=$?
    for c in $cleanups; do "$c"; done
    rm -rf "$tmp" 2>/dev/null || chmod -R u+rwX "$tmp" 2>/dev/null && rm -rf "$tmp" 2>/dev/null
    exit $status
}
trap finish EXIT
trap 'exit 130' INT TERM

# at_exit FUNCTION: called before tmp is removed
at_exit() { cleanups="$1 $cleanups"; }
diag() { printf '%s\n' "$*" | sed 's/^/# /'; }
# report STATUS NAME
report() {
    test_number=$((test_number + 1))
    if [ "$1" = 0 ]; then
        echo "ok $test_number - $2"
    else
        echo "not ok $test_number - $2"
        test_failures=$((test_failures + 1))
    fi
    return "$1"
}
# ok NAME COMMAND...: the command succeeds; its output is shown where it does not
ok() {
    name=$1
    shift
    if "$@" >"$tmp/.out" 2>&1; then report 0 "$name"; else
        code=$?
        report 1 "$name"
        diag "status $code: $*"
        diag "$(tail -n 40 "$tmp/.out")"
        return 1
    fi
}
# fails NAME STATUS PATTERN COMMAND...: the command ends with STATUS and says PATTERN (extended regex)
fails() {
    name=$1 want=$2 pattern=$3
    shift 3
    "$@" >"$tmp/.out" 2>&1 </dev/null
    code=$?
    if [ "$code" = "$want" ] && grep -Eq -- "$pattern" "$tmp/.out"; then report 0 "$name"; else
        report 1 "$name"
        diag "expected status $want and /$pattern/, got status $code:"
        diag "$(tail -n 20 "$tmp/.out")"
        return 1
    fi
}
# is NAME ACTUAL EXPECTED
is() {
    if [ "$2" = "$3" ]; then report 0 "$1"; else
        report 1 "$1"
        diag "expected: $3"
        diag "actual:   $2"
        return 1
    fi
}
# like NAME ACTUAL PATTERN
like() {
    if printf '%s\n' "$2" | grep -Eq -- "$3"; then report 0 "$1"; else
        report 1 "$1"
        diag "expected to match: $3"
        diag "actual: $2"
        return 1
    fi
}
skip_all() {
    echo "1..0 # SKIP $1"
    exit 0
}
# skip NAME REASON
skip() {
    test_number=$((test_number + 1))
    echo "ok $test_number - $1 # SKIP $2"
}
done_testing() {
    echo "1..$test_number"
    [ "$test_failures" = 0 ]
}
have() { command -v "$1" >/dev/null 2>&1; }
need() { for p in "$@"; do have "$p" || skip_all "$p is not installed"; done; }

# make_rootfs DIR: a root file system with busybox, users root and app (1000, also in group extra)
make_rootfs() {
    need busybox
    mkdir -p "$1/bin" "$1/etc" "$1/root" "$1/tmp" "$1/home/app"
    cp "$(command -v busybox)" "$1/bin/busybox"
    for applet in sh ash ls cat echo true false mkdir rmdir rm mv cp ln touch id env printenv sleep grep \
        mount umount ps stat chown chmod wget nc hostname dd head tail sort find tar sed awk test tr wc \
        cut date pwd readlink kill mkfifo mknod sync setsid ulimit df expr xargs md5sum sha256sum; do
        ln -sf busybox "$1/bin/$applet"
    done
    chmod 700 "$1/root"
    chmod 1777 "$1/tmp"
    printf 'root:x:0:0:root:/root:/bin/sh\napp:x:1000:1000:app:/home/app:/bin/sh\n' >"$1/etc/passwd"
    printf 'root:x:0:\napp:x:1000:\nextra:x:2000:app\n' >"$1/etc/group"
}
# base_images: busybox:latest in the store (made once for a test)
base_images() {
    [ -e "$tmp/busybox.tar" ] || {
        make_rootfs "$tmp/rootfs"
        tar -C "$tmp/rootfs" --owner=0 --group=0 --sort=name --mtime=@1000000000 -cf "$tmp/busybox.tar" .
    }
    "$slipway" import -c 'CMD ["sh"]' -c 'ENV PATH=/bin' "$tmp/busybox.tar" busybox:latest >/dev/null
}
# as_user COMMAND...: runs it as an ordinary user with a home in $tmp/home (needs root)
as_user() {
    have setpriv || return 77
    id slipway-test >/dev/null 2>&1 || {
        useradd --system --no-create-home --home-dir /nonexistent slipway-test 2>/dev/null || return 77
        grep -q '^slipway-test:' /etc/subuid || {
            echo 'slipway-test:700000:65536' >>/etc/subuid
            echo 'slipway-test:700000:65536' >>/etc/subgid
        }
    }
    [ -d "$tmp/home" ] || { mkdir -p "$tmp/home" && chown slipway-test "$tmp/home"; }
    become_user="setpriv --reuid slipway-test --regid $(id -g slipway-test) --clear-groups"
    # Where the tree is in somebody's closed home, the user runs a copy.
    [ -n "${user_slipway:-}" ] || user_slipway=$slipway
    $become_user test -x "$user_slipway" || { cp "$slipway" "$tmp/slipway-for-users" && user_slipway=$tmp/slipway-for-users; }
    for word; do
        shift
        [ "$word" = "$slipway" ] && word=$user_slipway
        set -- "$@" "$word"
    done
    $become_user \
        env HOME="$tmp/home" XDG_DATA_HOME="$tmp/home/data" SLIPWAY_ROOT="$tmp/home/root" "$@"
}
# whether as_user can build: not in a chroot, nor where the host forbids it
user_builds() { is_root && as_user unshare -Ur true 2>/dev/null; }
is_root() { [ "$(id -u)" = 0 ]; }
