#!/bin/sh
# Sources that are no files of the context: URLs, git repositories; contexts of every kind.
. "$(dirname "$0")/lib.sh"
need python3 git
base_images
export GIT_CONFIG_GLOBAL=/dev/null GIT_CONFIG_NOSYSTEM=1
mkdir -p "$tmp/www/sub" "$tmp/ctx/d"
cat >"$tmp/server.py" <<'P'
import http.server, os, sys
class H(http.server.SimpleHTTPRequestHandler):
    def do_GET(self):
        if self.path.startswith('/moved/'):
            self.send_response(302); self.send_header('Location', self.path[6:]); self.end_headers(); return
        if self.path == '/flaky' and not os.path.exists('flaked'):
            open('flaked', 'w').close()
            self.send_response(503); self.send_header('Retry-After', '0'); self.end_headers(); return
        if self.path == '/etag':
            if self.headers.get('If-None-Match') == '"v1"':
                self.send_response(304); self.end_headers(); return
            self.send_response(200); self.send_header('ETag', '"v1"'); self.send_header('Content-Length', '5')
            self.end_headers(); self.wfile.write(b'etag\n'); return
        super().do_GET()
    def log_message(self, f, *a):
        with open('log', 'a') as l: l.write('%s %s\n' % (self.path, a[1] if len(a) > 1 else ''))
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
while [ ! -s "$tmp/www/port" ] && [ $i -lt 500 ]; do i=$((i + 1)); python3 -c 'import time; time.sleep(0.01)'; done
url=http://127.0.0.1:$(cat "$tmp/www/port")
cat >"$tmp/ls.py" <<'P'
import sys, tarfile
for m in sorted(tarfile.open(sys.argv[1]).getmembers(), key=lambda m: m.name):
    print(m.name, m.type.decode(), oct(m.mode), m.uid, m.gid, int(m.mtime), m.size)
P
# build DOCKERFILE [OPTIONS]: the file system it gives, each entry a line
build() {
    printf '%b' "$1" >"$tmp/Dockerfile"
    shift
    "$slipway" build -o type=tar,dest="$tmp/out.tar" -f "$tmp/Dockerfile" "$@" "$tmp/ctx" >"$tmp/log" 2>&1 ||
        { cat "$tmp/log"; return 1; }
    python3 "$tmp/ls.py" "$tmp/out.tar"
}

# ---- ADD of URLs ----
echo file >"$tmp/www/file"
echo flaky >"$tmp/www/flaky"
touch -d @1000000000 "$tmp/www/file"
tar -C "$tmp/www" --mtime=@0 --owner=1 --group=2 -czf "$tmp/www/a.tar.gz" file
sum=$(sha256sum <"$tmp/www/file" | cut -d' ' -f1)
is 'a URL: mode 0600, the name and time of the server' "$(SOURCE_DATE_EPOCH=1500000000 build "FROM scratch\nADD $url/file /\n")" \
    'file 0 0o600 0 0 1000000000 5'
is 'no younger than the epoch' "$(SOURCE_DATE_EPOCH=5 build "FROM scratch\nADD $url/file /\n")" 'file 0 0o600 0 0 5 5'
is 'a name of its own, owner and mode' "$(build "FROM scratch\nADD --chown=3:4 --chmod=755 $url/file /x/name\n" | tail -n 1)" \
    'x/name 0 0o755 3 4 0 5'
is 'redirects: the name is the first one' "$(build "FROM scratch\nADD $url/moved/file /\n")" 'file 0 0o600 0 0 0 5'
is 'a server that is busy at first' "$(build "FROM scratch\nADD $url/flaky /\n")" 'flaky 0 0o600 0 0 0 6'
is 'an archive is not unpacked' "$(build "FROM scratch\nADD $url/a.tar.gz /\n" | cut -d' ' -f1)" 'a.tar.gz'
is 'but with --unpack' "$(build "FROM scratch\nADD --unpack $url/a.tar.gz /\n")" 'file 0 0o644 1 2 0 5'
is 'the name without the query' "$(build "FROM scratch\nADD $url/file?x=/y /\n" | cut -d' ' -f1)" 'file'
is 'no name' "$(build "FROM scratch\nADD $url/ /x/\n" | tail -n 1 | cut -d' ' -f1)" 'x/__unnamed__'
is 'several sources, variables' "$(build "FROM scratch\nARG U=$url\nADD \$U/file \${U}/flaky /d/\n" | cut -d' ' -f1 | tr '\n' ' ')" 'd d/file d/flaky '
is '--checksum' "$(build "FROM scratch\nADD --checksum=sha256:$sum $url/file /\n" | cut -d' ' -f1)" file
: >"$tmp/www/log"
is '--checksum of a file that is known asks nobody' "$(build "FROM scratch\nADD --checksum=sha256:$sum $url/file /other\n" | cut -d' ' -f1)$(cat "$tmp/www/log")" other
fails 'a wrong checksum' 1 'digest mismatch' build "FROM scratch\nADD --checksum=sha256:$(printf 0 | sha256sum | cut -d' ' -f1) $url/file /\n"
fails 'a checksum for a file of the context' 1 'checksum is for URLs' build "FROM scratch\nADD --checksum=sha256:$sum d /\n"
fails 'a URL that is not there' 1 'Dockerfile:2: ADD: fetching .*404' build "FROM scratch\nADD $url/missing /\n"
build "FROM scratch\nADD $url/etag /\n" >/dev/null
: >"$tmp/www/log"
printf 'FROM scratch\nADD %s/etag /\n' "$url" >"$tmp/Dockerfile"
out=$("$slipway" build -f "$tmp/Dockerfile" "$tmp/ctx" 2>&1)
is 'the next build only asks' "$(cat "$tmp/www/log")" '/etag 304'
out=$("$slipway" build -f "$tmp/Dockerfile" "$tmp/ctx" 2>&1)
is 'and the step is cached' "$(printf '%s\n' "$out" | grep -c CACHED)" 1

# ---- git ----
repo=$tmp/repo
git init -q -b main "$repo"
git -C "$repo" config user.email a@example.com
git -C "$repo" config user.name a
mkdir "$repo/sub"
echo one >"$repo/f"
echo below >"$repo/sub/g"
printf 'FROM scratch\nCOPY . /\n' >"$repo/Dockerfile"
printf 'FROM scratch\nCOPY g /g2\n' >"$repo/sub/Dockerfile"
chmod 755 "$repo/f"
git -C "$repo" add -A
GIT_COMMITTER_DATE='@1200000000 +0000' git -C "$repo" commit -qm one --date='@1200000000 +0000'
first=$(git -C "$repo" rev-parse HEAD)
git -C "$repo" tag v1
echo two >"$repo/f"
git -C "$repo" checkout -q -b topic
git -C "$repo" commit -qam two
git -C "$repo" checkout -q main
git clone -q --bare "$repo" "$tmp/www/r.git"
git -C "$tmp/www/r.git" update-server-info
names() { cut -d' ' -f1 | tr '\n' ' '; }
is 'ADD of a repository' "$(build "FROM scratch\nADD $url/r.git /r\n" | names)" 'r r/Dockerfile r/f r/sub r/sub/Dockerfile r/sub/g '
is 'modes of the repository, owner root' "$(build "FROM scratch\nADD $url/r.git /\n" | grep '^f ')" 'f 0 0o755 0 0 0 4'
is 'a tag and a directory' "$(build "FROM scratch\nADD $url/r.git#v1:sub /\n" | names)" 'Dockerfile g '
is 'a branch' "$(build "FROM scratch\nADD $url/r.git#topic /\n" | grep -c '^f ')$(tar -xOf "$tmp/out.tar" f)" 1two
is 'a commit' "$(build "FROM scratch\nADD $url/r.git#$first /\n" | grep -c '^f ')$(tar -xOf "$tmp/out.tar" f)" 1one
is 'a query' "$(build "FROM scratch\nADD $url/r.git?ref=v1&subdir=sub /\n" | names)" 'Dockerfile g '
is '--keep-git-dir' "$(build "FROM scratch\nADD --keep-git-dir=true $url/r.git /\n" | grep -c '^.git/HEAD ')" 1
is '--checksum' "$(build "FROM scratch\nADD --checksum=$first $url/r.git#v1:sub /\n" | names)" 'Dockerfile g '
fails 'another commit than --checksum' 1 "the commit is $first" build "FROM scratch\nADD --checksum=0123456789 $url/r.git#v1 /\n"
fails 'a ref that is not there' 1 'no branch, tag or commit "nope"' build "FROM scratch\nADD $url/r.git#nope /\n"
fails 'a directory that is not there' 1 'subdirectory nope' build "FROM scratch\nADD $url/r.git#main:nope /\n"
git init -q "$tmp/outer"
git -C "$tmp/outer" config user.email a@example.com
git -C "$tmp/outer" config user.name a
git -C "$tmp/outer" submodule --quiet add "$url/r.git" inner
git -C "$tmp/outer" commit -qm one
git clone -q --bare "$tmp/outer" "$tmp/www/o.git"
git -C "$tmp/www/o.git" update-server-info
is 'a submodule, of a server that has no shallow ones' "$(build "FROM scratch\nADD $url/o.git /\n" | names)" '.gitmodules inner inner/.git inner/Dockerfile inner/f inner/sub inner/sub/Dockerfile inner/sub/g '
is 'submodules=false' "$(build "FROM scratch\nADD $url/o.git?submodules=false /\n" | names)" '.gitmodules inner '

# ---- contexts ----
out() { "$slipway" build -o type=tar,dest="$tmp/out.tar" "$@" >"$tmp/log" 2>&1 && python3 "$tmp/ls.py" "$tmp/out.tar" | names || cat "$tmp/log"; }
is 'a repository' "$(out "$url/r.git")" 'Dockerfile f sub sub/Dockerfile sub/g '
is 'the time of its commit' "$(python3 "$tmp/ls.py" "$tmp/out.tar" | grep '^f' | cut -d' ' -f6)" 1200000000
is 'a directory of it' "$(out "$url/r.git#v1:sub")" 'g2 '
is 'with -f' "$(out -f sub/Dockerfile --target '' "$url/r.git#v1" | grep -m1 -c 'not found')" 1
tar -C "$repo" -cf "$tmp/www/c.tar" Dockerfile f sub
gzip -k "$tmp/www/c.tar"
is 'a URL of an archive' "$(out "$url/c.tar.gz")" 'Dockerfile f sub sub/Dockerfile sub/g '
cp "$repo/Dockerfile" "$tmp/www/Dockerfile"
printf 'FROM scratch\nADD %s/file /\n' "$url" >"$tmp/www/D2"
is 'a URL of a Dockerfile' "$(out "$url/D2")" 'file '
is 'an archive on standard input' "$(out - <"$tmp/www/c.tar.gz")" 'Dockerfile f sub sub/Dockerfile sub/g '
is 'through a pipe' "$(cat "$tmp/www/c.tar" | out -)" 'Dockerfile f sub sub/Dockerfile sub/g '
is 'an archive as PATH' "$(out "$tmp/www/c.tar")" 'Dockerfile f sub sub/Dockerfile sub/g '
is '-f inside an archive' "$(out -f sub/Dockerfile - <"$tmp/www/c.tar" | grep -m1 -c 'not found')" 1
is 'a Dockerfile on standard input' "$(printf 'FROM scratch\nCOPY <<E /x\n1\nE\n' | out -)" 'x '
fails 'its context is empty' 1 'not found' sh -c "printf 'FROM scratch\nCOPY a /\n' | '$slipway' build -"
is '-f - with a directory' "$(printf 'FROM scratch\nCOPY sub /s\n' | out -f - "$repo")" 's s/Dockerfile s/g '
ln -s /etc/passwd "$tmp/www/evil"
tar -C "$tmp/www" --transform s/evil/Dockerfile/ -cf "$tmp/evil.tar" evil
fails 'a Dockerfile that is a link out of the archive' 1 'Dockerfile' "$slipway" build "$tmp/evil.tar"
is 'nothing is left' "$(ls "$SLIPWAY_ROOT/slipway/tmp" | grep -vc '\.lease$\|^lease')" 0

# ---- named contexts ----
is '--build-context directory' "$(build 'FROM scratch\nCOPY --from=other sub /\n' --build-context other="$repo" | names)" 'Dockerfile g '
printf 'sub\n' >"$repo/.dockerignore"
is 'its .dockerignore counts' "$(build 'FROM scratch\nCOPY --from=other . /\n' --build-context other="$repo" | grep -c sub)" 0
rm "$repo/.dockerignore"
is 'git' "$(build 'FROM scratch\nCOPY --from=other . /\n' --build-context other="$url/r.git#v1:sub" | names)" 'Dockerfile g '
is 'http' "$(build 'FROM scratch\nCOPY --from=other sub /\n' --build-context other="$url/c.tar.gz" | names)" 'Dockerfile g '
is 'docker-image://' "$(build 'FROM scratch\nCOPY --from=other /etc/group /\n' --build-context other=docker-image://busybox | names)" 'group '
is 'in place of an image' "$(build 'FROM golang:1\nRUN echo x > /x\n' --build-context golang:1=docker-image://busybox:latest | grep -c '^x ')" 1
is 'in place of a stage' "$(build 'FROM scratch AS a\nCOPY d /\nFROM scratch\nCOPY --from=a . /\n' --build-context a="$repo/sub" | names)" 'Dockerfile g '
is 'target:' "$(build 'FROM scratch AS a\nCOPY <<E /x\n1\nE\nFROM scratch\nCOPY --from=z . /\n' --build-context z=target:a | names)" 'x '
is 'FROM a directory' "$(build 'FROM z\nCOPY <<E /x\n1\nE\n' --build-context z="$repo/sub" | names)" 'Dockerfile g x '
printf 'FROM scratch\nCOPY sub /\nENV A=b\n' | "$slipway" build -q -t lay:1 -o type=oci,tar=false,dest="$tmp/layout" -f - "$repo" >/dev/null 2>&1
"$slipway" rmi lay:1 >/dev/null 2>&1
is 'oci-layout://' "$(build 'FROM z\n' --build-context z=oci-layout://"$tmp/layout" | names)" 'Dockerfile g '
is 'with a tag' "$(build 'FROM scratch\nCOPY --from=z g /\n' --build-context z=oci-layout://"$tmp/layout":1 | names)" 'g '
dg=$(python3 -c 'import json,sys; print(json.load(open(sys.argv[1]))["manifests"][0]["digest"])' "$tmp/layout/index.json")
is 'with a digest' "$(build 'FROM scratch\nCOPY --from=z g /\n' --build-context z=oci-layout://"$tmp/layout@$dg" | names)" 'g '

# ---- what provenance says of them ----
if have jq; then
    # provenance CONTEXT OPTIONS...: the predicate
    provenance() {
        "$slipway" build -q --provenance=mode=max --metadata-file "$tmp/meta" -o "$tmp/prov" "$@" || return 1
        jq -c '.["buildx.build.provenance"]' "$tmp/meta"
    }
    printf 'FROM scratch\nADD %s/file /\nADD %s/r.git#v1:sub /r\nCOPY --from=other sub/g /g\n' "$url" "$url" >"$tmp/Dockerfile"
    set -- -f "$tmp/Dockerfile" --build-context other="$url/c.tar.gz" "$tmp/ctx"
    provenance "$@" >"$tmp/p1"
    is 'a commit, files by their content' "$(jq -c '.buildDefinition.resolvedDependencies[]' "$tmp/p1")" \
        "{\"uri\":\"$url/r.git#v1:sub\",\"digest\":{\"sha1\":\"$first\"}}
{\"uri\":\"$url/c.tar.gz\",\"digest\":{\"sha256\":\"$(sha256sum <"$tmp/www/c.tar.gz" | cut -c 1-64)\"}}
{\"uri\":\"$url/file\",\"digest\":{\"sha256\":\"$sum\"}}"
    printf 'FROM scratch\nARG TOKEN\nADD %s/file?token=$TOKEN /file\n' "$url" >"$tmp/Query"
    for mode in min max; do
        "$slipway" build -q --provenance=mode=$mode --metadata-file "$tmp/meta" -o "$tmp/prov" -f "$tmp/Query" --build-arg TOKEN=hunter2 \
            --build-arg http_proxy=user:hunter3@proxy.invalid --build-arg NO_PROXY=127.0.0.1 "$tmp/ctx" >/dev/null
        is "the predicate, mode=$mode" "$(jq '.["buildx.build.provenance"].buildDefinition.resolvedDependencies | length' "$tmp/meta")" 1
        is "values of arguments, mode=$mode" "$(grep -o 'hunter[23]' "$tmp/meta" | sort | uniq -c | tr -s ' \n' ' ')" "$([ $mode = max ] && echo ' 3 hunter2 ')"
    done
    is 'which are inputs of steps' "$(jq -c '[.buildDefinition.internalParameters.buildConfig.llbDefinition[] | select(.op.Op.file) | .inputs]' "$tmp/p1")" \
        '[["step2:0"],["step4:0","step0:0"],["step5:0","step1:0"]]'
    is 'from the cache, too' "$(provenance "$@")" "$(cat "$tmp/p1")"
    provenance "$url/r.git#v1" >"$tmp/p1"
    is 'a repository as the context' "$(jq -c .buildDefinition.externalParameters.configSource "$tmp/p1")" \
        "{\"uri\":\"$url/r.git#v1\",\"digest\":{\"sha1\":\"$first\"},\"path\":\"Dockerfile\"}"
    is 'then nothing is unknown' "$(jq -c '[.runDetails.metadata.buildkit_completeness.resolvedDependencies, .runDetails.metadata.buildkit_hermetic]' "$tmp/p1")" '[true,true]'
    provenance "$(printf '%s' "$url/c.tar.gz" | sed 's,//,//user:hunter2@,')" >"$tmp/p1"
    is 'no password of a URL' "$(grep -c hunter2 "$tmp/p1")$(grep -c xxxxx:xxxxx@127 "$tmp/p1")" 01
    provenance --build-context here="$repo/sub" -f - "$tmp/ctx" >"$tmp/p1" <<'D'
FROM scratch
COPY --from=here g /
D
    is 'no directory of this host' "$(grep -c "$tmp" "$tmp/p1")$(jq -c '.buildDefinition.externalParameters.request | [.args, .locals]' "$tmp/p1")" \
        '0[{"context:here":"local:here"},[{"name":"dockerfile"},{"name":"here"}]]'
else
    skip 'what provenance says of them' 'no jq'
fi
done_testing
