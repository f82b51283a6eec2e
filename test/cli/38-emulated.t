#!/bin/sh
# RUN for another processor through binfmt_misc and QEMU, registered in a user namespace of the
# test's own (Linux 6.7), so that the host stays as it is.
. "$(dirname "$0")/lib.sh"
need python3 unshare
[ "$(uname -m)" = x86_64 ] || skip_all 'the program is for arm64, the host is not amd64'
qemu=$(command -v qemu-aarch64-static) || skip_all 'qemu-aarch64-static is not installed'
cat >"$tmp/register.py" <<'P'
import sys
magic = b'\\x7fELF\\x02\\x01\\x01\\x00' + b'\\x00' * 8 + b'\\x02\\x00\\xb7\\x00'
mask = b'\\xff' * 7 + b'\\x00' + b'\\xff' * 8 + b'\\xfe\\xff\\xff\\xff'
with open('/proc/sys/fs/binfmt_misc/register', 'wb', buffering=0) as f:
    f.write(b':qemu-aarch64:M::' + magic + b':' + mask + b':' + sys.argv[1].encode() + b':' + sys.argv[2].encode())
P
# with FLAGS COMMAND...: where qemu is registered; "none": nothing is
with() {
    flags=$1
    shift
    unshare -Urm sh -c 'mount -t binfmt_misc none /proc/sys/fs/binfmt_misc || exit 99
        f=$1 q=$2 p=$3; shift 3; [ "$f" = none ] || python3 "$p" "$q" "$f" || exit 99; exec "$@"' \
        sh "$flags" "$qemu" "$tmp/register.py" "$@"
}
with F true 2>/dev/null || skip_all 'binfmt_misc cannot be mounted in a user namespace'

# A program for arm64 that needs nothing: writes "arm64" to /made and says so.
python3 - "$tmp/program" <<'P'
import struct, sys
text, path = b'arm64\n', b'/made\0'
movz = lambda r, v: 0xD2800000 | v << 5 | r
svc = 0xD4000001
def adr(r, off): return 0x10000000 | (off & 3) << 29 | (off >> 2) << 5 | r
def code(end):  # end: offset of the data from the start of the code
    c = []
    c += [movz(8, 56), 0x92800000 | 99 << 5, adr(1, end + len(text) - 4 * 2), movz(2, 0o101), movz(3, 0o644), svc]
    c += [movz(8, 64), adr(1, end - 4 * 7), movz(2, len(text)), svc]
    c += [movz(8, 64), movz(0, 1), adr(1, end - 4 * 12), movz(2, len(text)), svc]
    c += [movz(8, 93), movz(0, 0), svc]
    return c
n = len(code(0))
body = struct.pack(f'<{n}I', *code(n * 4)) + text + path
head = 64 + 56
elf = b'\x7fELF\2\1\1' + bytes(9) + struct.pack('<HHIQQQIHHHHHH', 2, 183, 1, 0x400000 + head, 64, 0, 0, 64, 56, 1, 0, 0, 0)
elf += struct.pack('<IIQQQQQQ', 1, 5, 0, 0x400000, 0x400000, head + len(body), head + len(body), 0x1000)
open(sys.argv[1], 'wb').write(elf + body)
P
chmod 755 "$tmp/program"
mkdir "$tmp/app"
cp "$tmp/program" "$tmp/app"
cat >"$tmp/app/Dockerfile" <<'D'
FROM scratch
COPY program /
RUN ["/program"]
D
# build FLAGS [OPTIONS]: as the root of a namespace with the emulator
build() {
    f=$1
    shift
    SLIPWAY_ROOT="$tmp/r" with "$f" "$slipway" build "$@" "$tmp/app"
}
ok 'RUN of a foreign program' build F --platform linux/arm64 -o type=tar,dest="$tmp/o.tar"
is 'it has run' "$(tar -xOf "$tmp/o.tar" made)" arm64
is 'nothing of the emulator is in the image' "$(tar -tf "$tmp/o.tar" | sort | tr '\n' ' ')" 'made program '
first=$(build F -q --no-cache --platform linux/arm64 2>/dev/null)
is 'the same again' "$(build F -q --no-cache --platform linux/arm64 2>/dev/null)" "$first"
fails 'a program that nothing can run' 1 'not an executable for this machine; .*qemu-user-static' \
    build none --no-cache --platform linux/arm64
mkdir "$tmp/base" "$tmp/on"
cp "$tmp/program" "$tmp/base"
printf 'FROM scratch\nCOPY program /\n' >"$tmp/base/Dockerfile"
printf 'FROM arm\nRUN ["/program"]\n' >"$tmp/on/Dockerfile"
SLIPWAY_ROOT="$tmp/r" with F "$slipway" build -q --platform linux/arm64 -t arm "$tmp/base" >/dev/null 2>&1
# on FLAGS: RUN over an image that says what it is for
on() { SLIPWAY_ROOT="$tmp/r" with "$1" "$slipway" build --no-cache --platform linux/arm64 "$tmp/on"; }
ok 'over an image of that platform' on F
fails 'without an emulator' 1 'cannot run programs for linux/arm64: install an emulator .*qemu-user-static' on none
fails 'one that an image cannot see' 1 'without the flag F' on C
is 'what was built stays cached without it' "$(build none -q --platform linux/arm64 2>/dev/null)" "$first"

# An index: each platform runs its own program.
cat >"$tmp/app/Dockerfile" <<'D'
FROM scratch AS base-arm64
COPY program /program
FROM busybox AS base-amd64
RUN printf '#!/bin/sh\necho amd64 >/made\n' >/program && chmod 755 /program
FROM base-$TARGETARCH
RUN ["/program"]
D
SLIPWAY_ROOT="$tmp/r" base_images
ok 'an index, half of it emulated' build F --platform linux/amd64,linux/arm64 -o type=local,dest="$tmp/both"
is 'both have run' "$(cat "$tmp/both/linux_amd64/made" "$tmp/both/linux_arm64/made" | tr '\n' ' ')" 'amd64 arm64 '
like 'run, too' "$(SLIPWAY_ROOT="$tmp/r" with F sh -c '"$0" build -q --platform linux/arm64 -t foreign "$1" >/dev/null 2>&1; "$0" run --rm --network none foreign /program' "$slipway" "$tmp/app" 2>&1)" arm64
done_testing
