#!/bin/sh
# ADD of archives: compression, metadata, the traps of unpacking.
. "$(dirname "$0")/lib.sh"
need python3
base_images
mkdir "$tmp/ctx"
python3 - "$tmp/ctx" <<'P'
import io, os, sys, tarfile
ctx = sys.argv[1]
def make(name, entries, mode='w', fmt=tarfile.PAX_FORMAT):
    with tarfile.open(os.path.join(ctx, name), mode, format=fmt) as t:
        for e in entries:
            i = tarfile.TarInfo(e['name'])
            i.type = e.get('type', tarfile.REGTYPE)
            i.mode, i.uid, i.gid = e.get('mode', 0o644), e.get('uid', 0), e.get('gid', 0)
            i.mtime = e.get('mtime', 0)
            i.linkname = e.get('link', '')
            i.pax_headers = e.get('pax', {})
            data = e.get('data', b'')
            i.size = len(data) if i.type == tarfile.REGTYPE else 0
            t.addfile(i, io.BytesIO(data))
D, L, H, F = tarfile.DIRTYPE, tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.FIFOTYPE
basic = [dict(name='./', type=D, mode=0o700, uid=5, gid=6),
         dict(name='./d/', type=D, mode=0o750, uid=7, gid=8),
         dict(name='./d/f', data=b'content\n', mode=0o640, uid=9, gid=10, mtime=100),
         dict(name='./d/suid', data=b'x', mode=0o4755),
         dict(name='./l', type=L, link='d/f'), dict(name='./p', type=F)]
make('a.tar', basic)
make('a.tar.gz', basic, 'w:gz')
make('a.tar.bz2', basic, 'w:bz2')
make('a.tar.xz', basic, 'w:xz')
make('gnu.tar', basic + [dict(name='n/' * 80 + 'deep', data=b'deep')], fmt=tarfile.GNU_FORMAT)
make('links.tar', [dict(name='z', data=b'one'), dict(name='b', type=H, link='z'), dict(name='c/d', type=H, link='./z')])
make('evil.tar', [dict(name='../../up', data=b'up'), dict(name='/abs', data=b'abs'),
                  dict(name='out', type=L, link='/etc'), dict(name='out/planted', data=b'planted'),
                  dict(name='rel', type=L, link='../../../..'), dict(name='rel/planted2', data=b'x')])
make('badlink.tar', [dict(name='h', type=H, link='/etc/passwd')])
make('usr.tar', [dict(name='lib/new', data=b'new')])
make('replace.tar', [dict(name='etc/group/', type=D), dict(name='home', data=b'a file now')])
make('twice.tar', [dict(name='x', data=b'1'), dict(name='x', data=b'22'), dict(name='y', data=b'1'), dict(name='y/', type=D), dict(name='y/z', data=b'z')])
make('utf8.tar', [dict(name='h\u00e9llo/\u65e5\u672c', data=b'utf8')])
open(os.path.join(ctx, 'empty.tar'), 'wb').close()
open(os.path.join(ctx, 'zeros.tar'), 'wb').write(bytes(10240))
open(os.path.join(ctx, 'text.tar'), 'w').write('not an archive\n')
import gzip
gzip.open(os.path.join(ctx, 'plain.gz'), 'wb').write(b'hello\n')
P
have zstd && zstd -q "$tmp/ctx/a.tar" -o "$tmp/ctx/a.tar.zst"
cat >"$tmp/ls.py" <<'P'
import sys, tarfile
for t in sys.argv[1:]:
    for m in sorted(tarfile.open(t).getmembers(), key=lambda m: m.name):
        print(m.name, m.type.decode(), oct(m.mode), m.uid, m.gid, int(m.mtime), m.linkname, m.size)
P
# build NAME DOCKERFILE: builds it from scratch and lists the file system
build() {
    printf '%b' "$1" | "$slipway" build -o type=tar,dest="$tmp/out.tar" -f - "$tmp/ctx" >"$tmp/log" 2>&1 ||
        { cat "$tmp/log"; return 1; }
    python3 "$tmp/ls.py" "$tmp/out.tar"
}
want="d 5 0o750 7 8 0  0
d/f 0 0o640 9 10 0  8
d/suid 0 0o4755 0 0 0  1
l 2 0o777 0 0 0 d/f 0
p 6 0o644 0 0 0  0"
for a in a.tar a.tar.gz a.tar.bz2 a.tar.xz a.tar.zst; do
    [ -e "$tmp/ctx/$a" ] || continue
    is "$a is unpacked, owners and modes kept" "$(build "FROM scratch\nADD $a /\n")" "$want"
done
is 'the root entry leaves the destination alone' "$(build 'FROM scratch\nADD a.tar /x/\n' | head -n 1)" 'x 5 0o755 0 0 0  0'
is 'so it does with one that exists' "$(build 'FROM busybox\nADD a.tar /root\n' | grep -E '^root ')" 'root 5 0o700 0 0 0  0'
is '--chown is for what the archive holds' "$(build 'FROM scratch\nADD --chown=3:4 a.tar /x\n' | head -n 3)" 'x 5 0o755 3 4 0  0
x/d 5 0o750 3 4 0  0
x/d/f 0 0o640 3 4 0  8'
is '--chmod is not' "$(build 'FROM scratch\nADD --chmod=700 a.tar /x\n' | head -n 3 | cut -d' ' -f1,3 | tr '\n' ' ')" 'x 0o755 x/d 0o750 x/d/f 0o640 '
is 'times of entries stay where they are old enough' \
    "$(SOURCE_DATE_EPOCH=50 build 'FROM scratch\nADD a.tar /\n' | grep '^d/f' | cut -d' ' -f6)$(SOURCE_DATE_EPOCH=150 build 'FROM scratch\nADD a.tar /\n' | grep '^d/f' | cut -d' ' -f6)" 50100
is 'GNU long names' "$(build 'FROM scratch\nADD gnu.tar /\n' | grep -c 'n/n/n/deep')" 1
is '--unpack=false copies' "$(build 'FROM scratch\nADD --unpack=false a.tar /\n' | cut -d' ' -f1)" 'a.tar'
is 'COPY copies' "$(build 'FROM scratch\nCOPY a.tar.gz /\n' | cut -d' ' -f1)" 'a.tar.gz'
is 'what is no archive is copied' "$(build 'FROM scratch\nADD empty.tar zeros.tar text.tar plain.gz /\n' | cut -d' ' -f1 | tr '\n' ' ')" \
    'empty.tar plain.gz text.tar zeros.tar '
is 'a file where the destination is no directory' "$(build 'FROM scratch\nADD text.tar /name\n' | cut -d' ' -f1)" 'name'
is 'wildcards' "$(build 'FROM scratch\nADD l*.tar t*.tar /o/\n' | cut -d' ' -f1 | tr '\n' ' ')" 'o o/b o/c o/c/d o/text.tar o/x o/y o/y/z o/z '
is 'hard links, the first name in order has the content' "$(build 'FROM scratch\nADD links.tar /\n')" \
    'b 0 0o644 0 0 0  3
c 5 0o755 0 0 0  0
c/d 1 0o644 0 0 0 b 0
z 1 0o644 0 0 0 b 0'
is 'names that lead out, absolute names, links: all inside' "$(build 'FROM scratch\nADD evil.tar /in/\n' | cut -d' ' -f1 | tr '\n' ' ')" \
    'in in/abs in/etc in/etc/planted in/out in/planted2 in/rel in/up '
is 'nothing escaped' "$(find "$SLIPWAY_ROOT" / -maxdepth 1 \( -name up -o -name 'planted*' \) | wc -l)" 0
fails 'a hard link out of the archive' 1 'hard link to etc/passwd, which the archive lacks' \
    sh -c "printf 'FROM busybox\nADD badlink.tar /\n' | '$slipway' build -f - '$tmp/ctx'"
mkdir -p "$tmp/ctx/root/usr/lib"
ln -s usr/lib "$tmp/ctx/root/lib"
is 'links of the image are followed' "$(build 'FROM scratch\nCOPY root /\nADD usr.tar /\n' | cut -d' ' -f1 | tr '\n' ' ')" 'lib usr usr/lib usr/lib/new '
is 'a directory replaces a file, a file a directory' "$(build 'FROM busybox\nADD replace.tar /\n' | grep -E '^(etc/group|home)' | cut -c1-12)" \
    'etc/group 5 
home 0 0o644'
is 'later entries win' "$(build 'FROM scratch\nADD twice.tar /\n' | cut -d' ' -f1,2,8 | tr '\n' ' ')" 'x 0 2 y 5 0 y/z 0 1 '
is 'names in UTF-8' "$(LC_ALL=C.UTF-8 build 'FROM scratch\nADD utf8.tar /\n' | tail -n 1 | cut -d' ' -f1)" 'héllo/日本'
printf 'FROM busybox AS a\nADD a.tar.gz links.tar /t/\nRUN cat /t/d/f\nFROM scratch\nCOPY --from=a /t /t\n' >"$tmp/ctx/Dockerfile"
ok 'in a stage that runs' "$slipway" build -t x "$tmp/ctx"
out=$("$slipway" build -t x "$tmp/ctx" 2>&1)
is 'the second time from the cache' "$(printf '%s\n' "$out" | grep -c CACHED)" 3
if user_builds; then
    cp -R "$tmp/ctx" "$tmp/ctx2" && chmod -R a+rX "$tmp/ctx2"
    first=$(sha256sum <"$tmp/out.tar")
    printf 'FROM scratch\nADD a.tar.gz /\n' >"$tmp/ctx2/Dockerfile"
    a=$("$slipway" build -q "$tmp/ctx2")
    b=$(as_user "$slipway" build -q "$tmp/ctx2" 2>/dev/null)
    is 'the same image as an ordinary user' "$b" "$a"
fi
done_testing
