#!/bin/sh
# What the peers had to learn the hard way, a rule each.
. "$(dirname "$0")/lib.sh"
need python3
base_images
mkdir -p "$tmp/ctx/dir/sub"
echo f >"$tmp/ctx/f"
echo g >"$tmp/ctx/dir/g"
echo h >"$tmp/ctx/dir/sub/h"
ln "$tmp/ctx/dir/g" "$tmp/ctx/dir/g2"
mkdir "$tmp/ctx/sticky" && chmod 1777 "$tmp/ctx/sticky"
ln -s f "$tmp/ctx/link"
cat >"$tmp/ls.py" <<'P'
import sys, tarfile
for m in sorted(tarfile.open(sys.argv[1]).getmembers(), key=lambda m: m.name):
    print(m.name, m.type.decode(), oct(m.mode), m.uid, m.gid, m.linkname, m.size)
P
build() {
    printf '%b' "$1" >"$tmp/Dockerfile"
    shift
    "$slipway" build -o type=tar,dest="$tmp/out.tar" -f "$tmp/Dockerfile" "$@" "$tmp/ctx" >"$tmp/log" 2>&1 ||
        { cat "$tmp/log"; return 1; }
    python3 "$tmp/ls.py" "$tmp/out.tar"
}
text() { tar -xOf "$tmp/out.tar" "$1"; }
is 'the sticky bit' "$(build 'FROM scratch\nCOPY . /\n' | grep ^sticky)" 'sticky 5 0o1777 0 0  0'
is 'hard links within one layer' "$(build 'FROM scratch\nCOPY dir /\n' | grep ^g2)" 'g2 1 0o644 0 0 g 0'
is 'implicit parents under --chown and --chmod' "$(build 'FROM scratch\nCOPY --chown=5:6 --chmod=600 f /a/b/f\n')" 'a 5 0o600 5 6  0
a/b 5 0o600 5 6  0
a/b/f 0 0o600 5 6  2'
owned() { build "FROM busybox\nRUN echo 'odd:x:1234:77::/:/bin/sh' >> /etc/passwd; echo 'odd:x:88:' >> /etc/group\nCOPY --chown=$1 f /f\n" | sed -n 's/^f 0 [^ ]* \([0-9]*\) \([0-9]*\) .*/\1:\2/p'; }
is '--chown=:GROUP is the user 0' "$(owned :odd)" 0:88
is 'also with a number' "$(owned :5)" 0:5
is 'a name has its own group' "$(owned odd)" 1234:77
is 'also before a colon' "$(owned odd:)" 1234:77
is 'a number is a group of that number, whatever passwd says' "$(owned 1234)" 1234:1234
is 'user and group' "$(owned odd:odd)" 1234:88
is 'USER :GROUP runs as root in it' "$(printf 'FROM busybox\nUSER :extra\nRUN id -u > /tmp/id; id -g >> /tmp/id\n' | "$slipway" build -q -t ug -f - "$tmp/ctx" >/dev/null 2>&1; "$slipway" run --rm --user 0 ug cat /tmp/id | tr '\n' ' ')" '0 2000 '
printf 'FROM scratch\nCOPY f /\n' >"$tmp/latest"
for t in 99999999999999 253402300800; do
    fails "SOURCE_DATE_EPOCH=$t" 2 'beyond the year 9999' "$slipway" build --source-date-epoch $t -f "$tmp/latest" "$tmp/ctx"
    fails "--timestamp $t" 2 'beyond the year 9999' "$slipway" build --timestamp $t -f "$tmp/latest" "$tmp/ctx"
    fails "the variable $t" 2 'beyond the year 9999' env SOURCE_DATE_EPOCH=$t "$slipway" build -f "$tmp/latest" "$tmp/ctx"
    fails "the argument $t" 2 'beyond the year 9999' "$slipway" build --build-arg SOURCE_DATE_EPOCH=$t -f "$tmp/latest" "$tmp/ctx"
done
fails 'a negative one' 2 'seconds since 1970' "$slipway" build --source-date-epoch=-1 -f "$tmp/latest" "$tmp/ctx"
ok 'the last second there is' "$slipway" build -t latest --source-date-epoch 253402300799 -f "$tmp/latest" "$tmp/ctx"
is 'is what the image says' "$("$slipway" inspect --format '{{.Created}}' latest)" 9999-12-31T23:59:59Z
is 'a source that is a link is followed' "$(build 'FROM scratch\nCOPY link /\n')" 'link 0 0o644 0 0  2'
is 'links in the destination, inside the root' "$(build 'FROM busybox\nRUN ln -s /tmp/real /l; mkdir /tmp/real; ln -s ../../../tmp /up\nCOPY f /l/\nCOPY f /up/g\n' | grep -E '^(tmp/real/f|tmp/g) ')" 'tmp/g 0 0o644 0 0  2
tmp/real/f 0 0o644 0 0  2'
is 'a slash at the end makes a directory' "$(build 'FROM scratch\nCOPY f /x/\n' | tail -n 1)" 'x/f 0 0o644 0 0  2'
is 'none does not' "$(build 'FROM scratch\nCOPY f /x\n')" 'x 0 0o644 0 0  2'
is 'WORKDIR relative to WORKDIR' "$(build 'FROM busybox\nWORKDIR /a\nWORKDIR b\nRUN pwd > /p\n' >/dev/null; text p)" /a/b
is 'WORKDIR belongs to USER' "$(build 'FROM busybox\nUSER app\nWORKDIR /w\n' | grep ^w)" 'w 5 0o755 1000 1000  0'
is 'groups of USER in RUN' "$(build 'FROM busybox\nUSER app\nRUN id -G > /tmp/g\n' >/dev/null; text tmp/g)" '1000 2000'
is 'a group that is named takes their place' "$(build 'FROM busybox\nUSER app:extra\nRUN id -G > /tmp/g\n' >/dev/null; text tmp/g)" '2000'
is 'ENV hides ARG' "$(build 'FROM busybox\nARG A=arg\nENV A=env\nRUN echo $A > /a\n' --build-arg A=cli >/dev/null; text a)" env
is 'a file replaced by a directory and back' "$(build 'FROM busybox\nRUN echo 1 > /x\nRUN rm /x; mkdir /x; echo 2 > /x/y\nRUN rm -r /x; echo 3 > /x\n' | grep ^x; text x)" 'x 0 0o644 0 0  2
3'
is 'whiteouts: what was removed stays away' "$(build 'FROM busybox\nRUN mkdir /d; touch /d/a /d/b\nRUN rm /d/a\nRUN touch /d/c\n' | grep ^d/ | cut -d' ' -f1 | tr '\n' ' ')" 'd/b d/c '
is 'an opaque directory' "$(build 'FROM busybox\nRUN mkdir /d; touch /d/a\nRUN rm -r /d; mkdir /d; touch /d/n\n' | grep ^d/ | cut -d' ' -f1)" d/n
is '--exclude, --parents with a pivot' "$(build 'FROM scratch\nCOPY --parents --exclude=**/g* ./dir/./sub/h ./dir/ /o/\n' | cut -d' ' -f1 | tr '\n' ' ')" 'o o/dir o/dir/sub o/dir/sub/h o/sub o/sub/h '
is '.dockerignore with ! and **; the Dockerfile may be ignored' "$(printf '**\n!dir/sub\nDockerfile\n' >"$tmp/ctx/.dockerignore"
    printf 'FROM scratch\nCOPY . /\n' >"$tmp/ctx/Dockerfile"
    "$slipway" build -o type=tar,dest="$tmp/out.tar" "$tmp/ctx" >/dev/null 2>&1; rm "$tmp/ctx/.dockerignore" "$tmp/ctx/Dockerfile"
    python3 "$tmp/ls.py" "$tmp/out.tar" | cut -d' ' -f1 | tr '\n' ' ')" 'dir dir/sub dir/sub/h '
printf 'FROM scratch\nCOPY . /\n' >"$tmp/ctx/Dockerfile"
for name in .dockerignore .containerignore Dockerfile.containerignore Dockerfile.dockerignore; do
    printf '**\n!dir/sub/h\n!%s\n' "$name" >"$tmp/ctx/$name"
    is "$name stands before those that came earlier" "$("$slipway" build -q -o type=tar,dest="$tmp/out.tar" "$tmp/ctx" >/dev/null 2>&1
        python3 "$tmp/ls.py" "$tmp/out.tar" | cut -d' ' -f1 | tr '\n' ' ')" "$(printf '%s\n' "$name" dir dir/sub dir/sub/h | LC_ALL=C sort | tr '\n' ' ')"
done
rm "$tmp/ctx/"*ignore "$tmp/ctx/".*ignore "$tmp/ctx/Dockerfile"
is 'heredocs: two files, one expanded' "$(build 'FROM scratch\nARG V=1\nCOPY <<a <<"b" /\nx$V\na\ny$V\nb\n' >/dev/null; text a; text b)" 'x1
y$V'
is 'a heredoc with another interpreter' "$(build 'FROM busybox\nRUN <<E\n#!/bin/cat\nhello\nE\n' >/dev/null; grep -c 'hello' "$tmp/log")" 1
is 'SHELL' "$(build 'FROM busybox\nSHELL ["/bin/sh","-ec"]\nRUN echo $0 $- > /s\n' >/dev/null; text s | grep -c e)" 1
is 'the time of a file under COPY --from' "$(SOURCE_DATE_EPOCH=1500000000 build 'FROM busybox AS a\nRUN touch -d @1000000007 /o; touch -d @1600000000 /n\nFROM scratch\nCOPY --from=a /o /n /\n' >/dev/null
    python3 -c 'import sys, tarfile; print([m.mtime for m in sorted(tarfile.open(sys.argv[1]).getmembers(), key=lambda m: m.name)])' "$tmp/out.tar")" '[1500000000, 1000000007]'
is 'a wildcard that matches nothing' "$(build 'FROM scratch\nCOPY nothing* /x/\n')$(build 'FROM scratch\nCOPY nothing* f /x/\n')" 'x 5 0o755 0 0  0
x/f 0 0o644 0 0  2'
fails 'a name that is not there' 1 '"/nothing" not found' build 'FROM scratch\nCOPY nothing f /x/\n'
is '--link: a directory in place of a link' "$(build 'FROM busybox\nRUN ln -s /tmp/real /l; mkdir /tmp/real\nCOPY --link f /l/\n' | grep -E '^(l|tmp/real)')" 'l 5 0o755 0 0  0
l/f 0 0o644 0 0  2
tmp/real 5 0o755 0 0  0'
is '--link: a file in place of a link, and of a directory' "$(build 'FROM busybox\nRUN ln -s /tmp/r /l; echo r >/tmp/r; mkdir /d; touch /d/x\nCOPY --link f /l\nCOPY --link f /d\n' | grep -E '^(l|d|tmp/r)')" 'd 0 0o644 0 0  2
l 0 0o644 0 0  2
tmp/r 0 0o644 0 0  2'
is '--link: what is in a directory stays' "$(build 'FROM busybox\nRUN mkdir /d; touch /d/x\nCOPY --link f /d/\n' | grep '^d/' | cut -d' ' -f1 | tr '\n' ' ')" 'd/f d/x '
is 'changes below a VOLUME are kept' "$(build 'FROM busybox\nRUN mkdir /v; echo 1 >/v/a\nVOLUME /v\nRUN echo 2 >/v/b; rm /v/a\nCOPY f /v/f\nRUN chmod 700 /v\n' | grep '^v')" 'v 5 0o700 0 0  0
v/b 0 0o644 0 0  2
v/f 0 0o644 0 0  2'
is 'VOLUME makes nothing' "$(build 'FROM busybox\nVOLUME /v\nRUN echo 1 >/x\n' | grep -c '^v')" 0
is 'the directory of a file, then of none: opaque under COPY --from' "$(build 'FROM busybox AS a\nRUN mkdir -p /d/e; touch /d/1 /d/e/2\nRUN rm -r /d; mkdir /d; touch /d/3\nFROM scratch\nCOPY --from=a /d /d\n' | cut -d' ' -f1 | tr '\n' ' ')" 'd d/3 '
is '--security=insecure, allowed: all capabilities' "$(build 'FROM busybox\nRUN --security=insecure grep CapEff /proc/self/status >/a\nRUN grep CapEff /proc/self/status >/b\n' --allow security.insecure >/dev/null
    [ "$(text a)" != "$(text b)" ] && [ "$(text a | tr -dc f | wc -c)" -ge 9 ] && echo more)" more
ok 'RUN without a command' build 'FROM busybox\nCMD ["x"]\nRUN\n'
fails '--security=insecure wants to be allowed' 1 'allow security.insecure' build 'FROM busybox\nRUN --security=insecure true\n'
fails 'an entitlement that nobody knows' 2 '--allow network.hots' "$slipway" build --allow network.hots "$tmp/ctx"
ok 'all that buildx takes' build 'FROM busybox\nRUN --network=host true\n' --allow network.host --allow fs.read=/tmp,fs.write=/tmp --allow device
fails 'a device that is required' 1 'there is no device "vendor/x=y"' build 'FROM busybox\nRUN --device=vendor/x=y,required true\n'
is 'one that is not' "$(build 'FROM busybox\nRUN --device=vendor/x=y echo 1 > /o\n' >/dev/null; text o)" 1
printf 'FROM busybox\nRUN cat /proc/sys/kernel/random/uuid > /id\n' >"$tmp/Dockerfile"
a=$("$slipway" build -q -f "$tmp/Dockerfile" "$tmp/ctx" 2>/dev/null)
b=$("$slipway" build -q --no-cache -f "$tmp/Dockerfile" "$tmp/ctx" 2>/dev/null)
is '--no-cache keeps what the new run made' "$([ -n "$a" ] && [ "$a" != "$b" ]; echo $?)" 0
done_testing
