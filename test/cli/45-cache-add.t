#!/bin/sh
# ADD of archives, URLs and repositories: a warm build unpacks nothing, clones nothing, and sees every change.
. "$(dirname "$0")/lib.sh"
need python3 git
base_images
export GIT_CONFIG_GLOBAL=/dev/null GIT_CONFIG_NOSYSTEM=1
mkdir -p "$tmp/www" "$tmp/ctx"
cat >"$tmp/server.py" <<'P'
import http.server, os, sys
class H(http.server.SimpleHTTPRequestHandler):
    def log_message(self, f, *a):
        with open('log', 'a') as l: l.write('%s %s %s\n' % (self.command, self.path, a[1] if len(a) > 1 else ''))
os.chdir(sys.argv[1])
s = http.server.ThreadingHTTPServer(('127.0.0.1', 0), H)
open('port.new', 'w').write(str(s.server_port)); os.rename('port.new', 'port')
s.serve_forever()
P
python3 "$tmp/server.py" "$tmp/www" &
server=$!
stop() { kill "$server" 2>/dev/null; }
at_exit stop
i=0
while [ ! -s "$tmp/www/port" ] && [ $i -lt 500 ]; do i=$((i + 1)); sleep 0.02; done
url=http://127.0.0.1:$(cat "$tmp/www/port")
# build DOCKERFILE [OPTIONS]
build() {
    printf '%b' "$1" >"$tmp/Dockerfile"
    shift
    "$slipway" build -t add -f "$tmp/Dockerfile" "$@" "$tmp/ctx" >"$tmp/log" 2>&1 || { cat "$tmp/log"; return 1; }
}
digest() { "$slipway" inspect --format '{{.Digest}}' add; }

# ---- archives of the context ----
mkdir "$tmp/fs" && echo one >"$tmp/fs/one"
pack() { tar -C "$tmp/fs" --sort=name --mtime=@0 --owner=1 --group=2 -czf "$tmp/ctx/a.tar.gz" .; }
pack
archive='FROM busybox\nADD a.tar.gz /x/\n'
build "$archive"
first=$(digest)
ok 'a warm ADD of an archive is a hit' build "$archive" --fail-on-miss
is 'of the same image' "$(digest)" "$first"
touch "$tmp/ctx/a.tar.gz"
ok 'its time does not matter' build "$archive" --fail-on-miss
strace=$(command -v strace)
if [ -n "$strace" ]; then
    "$strace" -f -e trace=openat,mkdirat -o "$tmp/trace" "$slipway" build -q -f "$tmp/Dockerfile" "$tmp/ctx" >/dev/null 2>&1
    is 'no library, no directory for it' "$(grep -E 'libarchive|mkdirat' "$tmp/trace")" ''
else
    skip 'no library, no directory for it' 'strace is not installed'
fi
echo two >"$tmp/fs/two" && pack
fails 'another content is a miss' 1 'not in the cache' "$slipway" build -f "$tmp/Dockerfile" --fail-on-miss "$tmp/ctx"
build "$archive"
ok 'with another layer' test "$(digest)" != "$first"
echo text >"$tmp/ctx/a.tar.gz"
ok 'what is no archive is copied' build "$archive"
like 'as it is' "$("$slipway" run --rm add cat /x/a.tar.gz 2>&1)" text
ok '--unpack=false' build 'FROM busybox\nADD --unpack=false a.tar.gz /x/\n'
pack
ok 'an archive again' build "$archive"
is 'is unpacked again' "$("$slipway" run --rm add cat /x/two 2>&1)" two
# The destination decides, too: a link there leads elsewhere.
ok 'another destination' build 'FROM busybox\nRUN ln -s /y /x && mkdir /y\nADD a.tar.gz /x/\n'
is 'is looked at' "$("$slipway" run --rm add cat /y/two 2>&1)" two
ok 'other flags' build 'FROM busybox\nADD --chown=7:8 a.tar.gz /new/\n'
is 'are, too' "$("$slipway" run --rm add stat -c %u:%g /new 2>&1)" 7:8
ok 'names of the context' build 'FROM busybox\nADD *.gz /z/\n'
ok 'are looked for again' build 'FROM busybox\nADD *.gz /z/\n' --fail-on-miss
cp "$tmp/ctx/a.tar.gz" "$tmp/ctx/b.gz"
ok 'the same files once more change nothing' build 'FROM busybox\nADD *.gz /z/\n' --fail-on-miss
echo three | gzip -n >"$tmp/ctx/b.gz"
fails 'one more is a miss' 1 'not in the cache' "$slipway" build -f "$tmp/Dockerfile" --fail-on-miss "$tmp/ctx"

# ---- the stage that something is copied from ----
echo 1 >"$tmp/ctx/in"
stages='FROM busybox AS a\nCOPY in /in\nRUN cat /in /proc/sys/kernel/random/uuid > /out\nFROM scratch\nCOPY --from=a /out /\n'
build "$stages" && first=$(digest)
ok 'COPY --from a stage' build "$stages" --fail-on-miss
is 'is what it was' "$(digest)" "$first"
ok 'the same command may make something else' build "$stages" --no-cache-filter a
ok 'which is what is copied' test "$(digest)" != "$first"

# ---- URLs ----
cp "$tmp/ctx/a.tar.gz" "$tmp/www/a.tar.gz" && cp "$tmp/ctx/in" "$tmp/www/in"
sum=$(sha256sum <"$tmp/www/in" | cut -d' ' -f1)
remote="FROM busybox\nADD --unpack=true $url/a.tar.gz /x/\nADD $url/in /in\n"
build "$remote" && first=$(digest)
: >"$tmp/www/log"
ok 'a URL that is the same' build "$remote" --fail-on-miss
is 'is asked about, not sent' "$(sort -u "$tmp/www/log")" 'GET /a.tar.gz 304
GET /in 304'
: >"$tmp/www/log"
ok 'with a checksum' build "FROM busybox\nADD --checksum=sha256:$sum $url/in /in\n"
is 'nobody is asked' "$(cat "$tmp/www/log")" ''
echo new >"$tmp/www/in" && touch -d '1 day' "$tmp/www/in"
ok 'a changed one' build "$remote"
is 'is seen' "$("$slipway" run --rm add cat /in 2>&1)" new

# ---- repositories ----
repo=$tmp/www/app.git
git init -q --bare "$repo"
git init -q -b main "$tmp/work"
commit() { (cd "$tmp/work" && echo "$1" >file && git add file && git -c user.name=t -c user.email=t@t -c commit.gpgsign=false commit -q -m "$1" &&
    git push -q "$repo" HEAD:main && cd "$repo" && git symbolic-ref HEAD refs/heads/main && git update-server-info); }
commit one
git='FROM busybox\nADD '"$url"'/app.git#main /src/\n'
ok 'a repository' build "$git"
first=$(digest)
: >"$tmp/www/log"
ok 'once more' build "$git" --fail-on-miss
is 'the same image' "$(digest)" "$first"
is 'one question, no objects' "$(grep -c /objects/ "$tmp/www/log")" 0
like 'the commit is named' "$(cat "$tmp/log")" "commit $(git -C "$tmp/work" rev-parse HEAD)"
: >"$tmp/www/log"
ok 'a commit by its digits' build "FROM busybox\nADD $url/app.git#$(git -C "$tmp/work" rev-parse HEAD) /src/\n"
: >"$tmp/www/log"
ok 'known by now' build "FROM busybox\nADD $url/app.git#$(git -C "$tmp/work" rev-parse HEAD) /src/\n" --fail-on-miss
is 'nobody is asked about it' "$(cat "$tmp/www/log")" ''
commit two
ok 'a push is seen' build "$git"
is 'and fetched' "$("$slipway" run --rm add cat /src/file 2>&1)" two
(cd "$tmp/work" && git tag -a -m v1 v1 2>/dev/null || git -c user.name=t -c user.email=t@t tag -a -m v1 v1; git push -q "$repo" v1 && cd "$repo" && git update-server-info)
ok 'an annotated tag' build "FROM busybox\nADD $url/app.git#v1 /src/\n"
ok 'is known by its commit' build "FROM busybox\nADD $url/app.git#v1 /src/\n" --fail-on-miss
ok 'as the branch is' build "$git" --fail-on-miss
fails 'a ref that is not there' 1 'no branch, tag or commit|not find remote ref|none' sh -c "printf 'FROM busybox\nADD $url/app.git#none /src/\n' | '$slipway' build -f - '$tmp/ctx'"
fails 'another commit than wanted' 1 'wanted 1234567' sh -c "printf 'FROM busybox\nADD --checksum=1234567890123456789012345678901234567890 $url/app.git#main /src/\n' | '$slipway' build -f - '$tmp/ctx'"
done_testing
