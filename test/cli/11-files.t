#!/bin/sh
# Files that are not ordinary: each gives the right entry in the image or a clear error.
. "$(dirname "$0")/lib.sh"
base_images
need python3
ctx=$tmp/ctx
mkdir "$ctx"
build() { "$slipway" build -t odd "$ctx"; }
printf 'FROM scratch\nCOPY . /x/\n' >"$ctx/Dockerfile"
printf 'Dockerfile\n' >"$ctx/.dockerignore"
list() { # entries of the image's last layer, as Python sees them
    "$slipway" save --format oci-archive -o "$tmp/a.tar" odd && python3 - "$tmp/a.tar" <<'P'
import io, json, sys, tarfile, os
outer = tarfile.open(sys.argv[1])
get = lambda d: outer.extractfile("blobs/sha256/" + d.split(":")[1]).read()
index = json.load(outer.extractfile("index.json"))
m = json.loads(get(index["manifests"][0]["digest"]))
t = tarfile.open(fileobj=io.BytesIO(get(m["layers"][-1]["digest"])), errors="surrogateescape")
for e in t:
    kind = {b"0": "f", b"1": "h", b"2": "l", b"3": "c", b"4": "b", b"5": "d", b"6": "p"}[e.type]
    x = ",".join(sorted(k for k in e.pax_headers if k.startswith("SCHILY.xattr")))
    print(kind, oct(e.mode), f"{e.uid}:{e.gid}", e.mtime, e.size, ascii(e.name), e.linkname, x)
P
}
python3 - "$ctx" <<'P'
import os, sys
c = os.fsencode(sys.argv[1])
def put(name, data=b"x"):
    with open(c + b"/" + name, "wb") as f: f.write(data)
put(b"new\nline"); put(b"inv\xff\xfealid"); put(b" space "); put(b"-dash"); put(b"*star")
put(b"n" * 255)
d = c
deep = b"/".join([b"d" * 100] * 6)
os.makedirs(c + b"/" + deep); put(deep + b"/leaf")
put(b"hard1", b"same"); os.link(c + b"/hard1", c + b"/hard2")
os.symlink("/etc/passwd", c + b"/abs"); os.symlink("../../../../etc/passwd", c + b"/up"); os.symlink("nowhere", c + b"/dangling")
put(b"suid"); os.chmod(c + b"/suid", 0o4755)
os.mkdir(c + b"/sticky"); os.chmod(c + b"/sticky", 0o1777)
put(b"empty", b""); os.mkfifo(c + b"/fifo")
P
ok 'an odd tree builds' build
list >"$tmp/list"
like 'a name with a newline' "$(cat "$tmp/list")" "'x/new\\\\nline'"
like 'a name that is not UTF-8' "$(cat "$tmp/list")" 'x/inv.*ff.*alid'
like 'a name of 255 bytes' "$(cat "$tmp/list")" 'x/n{255}'
like 'a path longer than 255 bytes' "$(cat "$tmp/list")" '(d{100}/){6}leaf'
like 'a link keeps its target' "$(cat "$tmp/list")" "^l .*'x/up' ../../../../etc/passwd"
like 'an absolute link too' "$(cat "$tmp/list")" "^l .*'x/abs' /etc/passwd"
like 'set-user-ID stays' "$(cat "$tmp/list")" "^f 0o4755 0:0 .*x/suid"
like 'the sticky bit stays' "$(cat "$tmp/list")" "^d 0o1777 .*x/sticky"
like 'a FIFO is a FIFO' "$(cat "$tmp/list")" "^p .*x/fifo"
is 'hard links of a context are files' "$(grep -c "x/hard" "$tmp/list")" 2
is 'everything belongs to root' "$(grep -vc ' 0:0 ' "$tmp/list")" 0
is 'and has the time of the epoch' "$(awk '{ print $4 }' "$tmp/list" | sort -u)" 0
rm -rf "$ctx"/* && printf 'FROM scratch\nCOPY . /x/\n' >"$ctx/Dockerfile" && echo a >"$ctx/a"

python3 -c 'import socket,sys; socket.socket(socket.AF_UNIX).bind(sys.argv[1])' "$ctx/socket"
ok 'a socket in the context' build
like 'is an empty file in the layer' "$(list | grep socket)" "^f .* 'x/socket'"
rm "$ctx/socket"
if is_root && mknod "$ctx/device" c 1 3 2>/dev/null; then
    ok 'a device in the context' build
    like 'is a device in the layer' "$(list)" "^c .*x/device"
    rm "$ctx/device"
else skip 'a device in the context' 'needs root'; fi
if have setfattr && setfattr -n user.note -v hello "$ctx/a" 2>/dev/null; then
    ok 'extended attributes' build
    like 'are kept' "$(list)" 'SCHILY.xattr.user.note'
    setfattr -x user.note "$ctx/a"
    # That a file has none is remembered once it is old enough (0.1 s) for its times to tell.
    until [ $(($(date +%s%N) / 1000000 - $(stat -c %.3Z "$ctx/a" | tr -d .))) -gt 300 ]; do :; done
    ok 'without' build
    is 'are gone' "$(list | grep -c user.note)" 0
    setfattr -n user.late -v hello "$ctx/a"
    ok 'with one again' build
    like 'which is seen' "$(list)" 'SCHILY.xattr.user.late'
    setfattr -x user.late "$ctx/a"
else skip 'extended attributes' 'not supported here'; fi
if is_root && have setcap && setcap cap_net_bind_service+ep "$ctx/a" 2>/dev/null; then
    ok 'file capabilities' build
    like 'are kept too' "$(list)" 'SCHILY.xattr.security.capability'
    setcap -r "$ctx/a"
else skip 'file capabilities' 'needs root and setcap'; fi

truncate -s 5G "$ctx/sparse"
ok 'a sparse file of 5 GiB' build
like 'has its size' "$(list)" " 5368709120 'x/sparse'"
rm "$ctx/sparse"
"$slipway" rmi odd >/dev/null 2>&1

# Links that lead out of the context or the root stop at it.
mkdir "$ctx/sub"
ln -s /etc "$ctx/sub/etc"
printf 'FROM scratch\nCOPY sub/etc/hostname /h\n' >"$ctx/Dockerfile"
fails 'a link out of the context finds nothing of the host' 1 'not found|excluded' "$slipway" build "$ctx"
printf 'FROM busybox\nRUN ln -s /../../../../../../tmp /out && ln -s ../../../../tmp /out2\nCOPY a /out/escaped\nCOPY a /out2/escaped2\nRUN cat /tmp/escaped /tmp/escaped2\n' >"$ctx/Dockerfile"
ok 'a link in the destination is followed inside the root' "$slipway" build -t odd "$ctx"
is 'and never out of it' "$(ls /tmp/escaped /tmp/escaped2 2>/dev/null)" ''

if user_builds; then
    mkdir "$ctx/secret" && echo x >"$ctx/secret/f" && chmod 0 "$ctx/secret/f"
    printf 'FROM scratch\nCOPY . /x/\n' >"$ctx/Dockerfile"
    chmod -R o+rX "$tmp"; chmod 0 "$ctx/secret/f"
    fails 'a file that cannot be read is named' 1 'secret/f.*[Pp]ermission denied' as_user "$slipway" build "$ctx"
    chmod 644 "$ctx/secret/f"
fi
done_testing
