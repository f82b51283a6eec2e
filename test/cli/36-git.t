#!/bin/sh
# Repositories as contexts and under ADD, from servers that talk git's own protocols: http with
# credentials, ssh with an agent; refs of every kind, submodules, the query form of a URL.
. "$(dirname "$0")/lib.sh"
need python3 git
base_images
backend=$(git --exec-path)/git-http-backend
[ -x "$backend" ] || skip_all 'git http-backend is not installed'
export GIT_CONFIG_GLOBAL="$tmp/gitconfig" HOME="$tmp"
git config --global user.email a@example.com
git config --global user.name a
git config --global init.defaultBranch main
git config --global protocol.file.allow always
git config --global safe.directory '*'
export GIT_COMMITTER_DATE='@1200000000 +0000' GIT_AUTHOR_DATE='@1200000000 +0000'

# ---- repositories ----
mkdir -p "$tmp/www/private" "$tmp/work"
new() { git init -q "$tmp/work/$1"; }
commit() { git -C "$tmp/work/$1" add -A && git -C "$tmp/work/$1" commit -qm "$2"; }
publish() {
    git clone -q --mirror "$tmp/work/$1" "$tmp/www/$2.git"
    git -C "$tmp/www/$2.git" config uploadpack.allowAnySHA1InWant true
    git -C "$tmp/www/$2.git" config http.receivepack false
}
new sub
echo below >"$tmp/work/sub/s"
commit sub one
publish sub sub
new app
mkdir "$tmp/work/app/dir"
echo 1 >"$tmp/work/app/f"
echo g >"$tmp/work/app/dir/g"
printf 'FROM scratch\nCOPY . /\n' >"$tmp/work/app/Dockerfile"
printf 'FROM scratch\nCOPY g /\n' >"$tmp/work/app/dir/Dockerfile"
commit app one
one=$(git -C "$tmp/work/app" rev-parse HEAD)
git -C "$tmp/work/app" tag light
git -C "$tmp/work/app" tag -m 'with a message' annotated
git -C "$tmp/work/app" checkout -q -b feature/x
echo 2 >"$tmp/work/app/f"
commit app two
git -C "$tmp/work/app" checkout -q -b both
echo 3 >"$tmp/work/app/f"
commit app three
git -C "$tmp/work/app" tag both "$one"
git -C "$tmp/work/app" update-ref refs/pull/1/head refs/heads/both
git -C "$tmp/work/app" checkout -q main
publish app app
publish app private/app

# ---- servers: everything below /private wants a header; ask it what it saw ----
cat >"$tmp/server.py" <<'P'
import http.server, os, subprocess, sys, urllib.parse
root, backend, log = sys.argv[1:4]
class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        path, _, query = self.path.partition('?')
        given = self.headers.get('Authorization') or '-'
        with open(log, 'a') as f: f.write(path + ' ' + given + '\n')
        if path.startswith('/private/') and given not in ('basic eC1hY2Nlc3MtdG9rZW46c2VzYW1l', 'Bearer open'):
            self.send_response(401)
            self.send_header('WWW-Authenticate', 'Basic realm="x"')
            self.send_header('Content-Length', '0')
            self.end_headers()
            return
        body = self.rfile.read(int(self.headers.get('Content-Length') or 0))
        env = dict(os.environ, GIT_PROJECT_ROOT=root, GIT_HTTP_EXPORT_ALL='1', PATH_INFO=urllib.parse.unquote(path),
            QUERY_STRING=query, REQUEST_METHOD=self.command, CONTENT_TYPE=self.headers.get('Content-Type') or '',
            HTTP_CONTENT_ENCODING=self.headers.get('Content-Encoding') or '', CONTENT_LENGTH=str(len(body)),
            GIT_PROTOCOL=self.headers.get('Git-Protocol') or '')
        out = subprocess.run([backend], input=body, env=env, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL).stdout
        head, _, rest = out.partition(b'\r\n\r\n')
        fields = [l.split(': ', 1) for l in head.decode().split('\r\n') if ': ' in l]
        status = [v for k, v in fields if k == 'Status']
        self.send_response(int(status[0].split()[0]) if status else 200)
        for k, v in fields:
            if k != 'Status': self.send_header(k, v)
        self.send_header('Content-Length', str(len(rest)))
        self.end_headers()
        self.wfile.write(rest)
    do_POST = do_GET
    def log_message(self, *a): pass
server = http.server.ThreadingHTTPServer(('127.0.0.1', 0), Handler)
with open(log + '.port.new', 'w') as f: f.write(str(server.server_port))
os.rename(log + '.port.new', log + '.port')
server.serve_forever()
P
servers=''
stop() { for p in $servers; do kill "$p" 2>/dev/null; done; }
at_exit stop
wait_for() {
    i=0
    while [ ! -s "$1" ] && [ $i -lt 500 ]; do
        sleep 0.02
        i=$((i + 1))
    done
}
# serve LOG: a server; the answer is its host and port
serve() {
    python3 "$tmp/server.py" "$tmp/www" "$backend" "$1" >/dev/null 2>"$1.err" &
    servers="$servers $!"
    wait_for "$1.port"
}
serve "$tmp/a"
serve "$tmp/b"
at=127.0.0.1:$(cat "$tmp/a.port")
other=127.0.0.1:$(cat "$tmp/b.port")
url=http://$at

# add URL [OPTIONS]: the files of ADD URL /, with f's content
add() {
    printf 'FROM scratch\nADD %s /\n' "$1" >"$tmp/Dockerfile"
    shift
    rm -rf "$tmp/out"
    "$slipway" build -o "$tmp/out" -f "$tmp/Dockerfile" "$@" "$tmp/work/sub" >"$tmp/log" 2>&1 || { cat "$tmp/log"; return 1; }
    (cd "$tmp/out" && find . -name .git -prune -print -o -type f -print | sort | tr '\n' ' ' && cat f 2>/dev/null)
}
all='./Dockerfile ./dir/Dockerfile ./dir/g ./f'

# ---- refs ----
is 'the default branch' "$(add "$url/app.git")" "$all 1"
is 'a branch with a slash' "$(add "$url/app.git#feature/x")" "$all 2"
is 'a tag' "$(add "$url/app.git#light")" "$all 1"
is 'an annotated tag' "$(add "$url/app.git#annotated")" "$all 1"
is 'a commit' "$(add "$url/app.git#$one")" "$all 1"
is 'a branch goes before a tag of the same name' "$(add "$url/app.git#both")" "$all 3"
is 'unless the tag is named whole' "$(add "$url/app.git#refs/tags/both")" "$all 1"
is 'a ref that is neither' "$(add "$url/app.git#refs/pull/1/head")" "$all 3"
is 'a directory' "$(add "$url/app.git#feature/x:dir")" './Dockerfile ./g '
is 'a directory alone' "$(add "$url/app.git#:dir")" './Dockerfile ./g '
is 'an escaped fragment' "$(add "$url/app.git#feature%2Fx")" "$all 2"
fails 'a ref that is not there' 1 'no branch, tag or commit "nope"' add "$url/app.git#nope"

# ---- the query ----
is 'ref, subdir' "$(add "$url/app.git?ref=feature/x&subdir=dir")" './Dockerfile ./g '
is 'branch, escaped' "$(add "$url/app.git?branch=feature%2Fx")" "$all 2"
is 'a tag is a tag' "$(add "$url/app.git?tag=both")" "$all 1"
is 'a branch is a branch' "$(add "$url/app.git?branch=both")" "$all 3"
fails 'a tag is no branch' 1 'no branch, tag or commit' add "$url/app.git?branch=light"
is 'the commit that it must be' "$(add "$url/app.git?tag=annotated&checksum=$one")" "$all 1"
fails 'and is not' 1 "the commit is $one, wanted 0123456789" add "$url/app.git?tag=light&commit=0123456789"
is 'keep-git-dir' "$(add "$url/app.git?keep-git-dir=true")" "./.git $all 1"
is 'without a value' "$(add "$url/app.git?keep-git-dir")" "./.git $all 1"
is 'not kept' "$(add "$url/app.git?keep-git-dir=0")" "$all 1"
fails 'an unknown key' 1 'unknown key "x"' add "$url/app.git?x=y"
fails 'a value that is missing' 1 '"ref".*has no value' add "$url/app.git?ref="
fails 'branch and tag' 1 'two values for the ref' add "$url/app.git?branch=a&tag=b"
fails 'query and fragment' 1 'two values for the ref' add "$url/app.git?ref=a#b"
fails 'query and flag' 1 'says one thing' add "--keep-git-dir=true $url/app.git?keep-git-dir=false"
is 'as a context' "$("$slipway" build -q -o "$tmp/c1" "$url/app.git?branch=feature/x&subdir=dir" >"$tmp/log" 2>&1; ls "$tmp/c1")" g
is 'a context with .git' "$("$slipway" build -q -o "$tmp/c2" --build-arg BUILDKIT_CONTEXT_KEEP_GIT_DIR=1 "$url/app.git" >"$tmp/log" 2>&1; ls -d "$tmp/c2/.git")" "$tmp/c2/.git"

# ---- submodules ----
git -C "$tmp/work/app" checkout -q -b mods
git -C "$tmp/work/app" submodule --quiet add "http://$other/sub.git" mod 2>/dev/null
commit app mods
git -C "$tmp/work/app" push -q "$tmp/www/app.git" mods
git -C "$tmp/work/app" push -q "$tmp/www/private/app.git" mods
git -C "$tmp/work/app" checkout -q main 2>/dev/null
is 'submodules' "$(add "$url/app.git#mods")" "./.gitmodules $all ./mod/.git ./mod/s 1"
is 'or not' "$(add "$url/app.git?branch=mods&submodules=false")" "./.gitmodules $all 1"

# ---- credentials over http ----
printf 'sesame\n' >"$tmp/token"
printf 'Bearer open' >"$tmp/header"
printf 'wrong' >"$tmp/wrong"
fails 'a repository that wants a token' 1 'private/app.git' add "$url/private/app.git"
is 'GIT_AUTH_TOKEN' "$(add "$url/private/app.git" --secret "id=GIT_AUTH_TOKEN,src=$tmp/token")" "$all 1"
is 'GIT_AUTH_HEADER' "$(add "$url/private/app.git" --secret "id=GIT_AUTH_HEADER,src=$tmp/header")" "$all 1"
is 'of the host, which goes first' "$(add "$url/private/app.git" --secret "id=GIT_AUTH_TOKEN.$at,src=$tmp/token" \
    --secret "id=GIT_AUTH_TOKEN,src=$tmp/wrong")" "$all 1"
fails 'of another host' 1 'private/app.git' add "$url/private/app.git" --secret "id=GIT_AUTH_TOKEN.example.com,src=$tmp/token"
is 'as a context' "$("$slipway" build -q -o "$tmp/c3" --secret "id=GIT_AUTH_TOKEN,src=$tmp/token" "$url/private/app.git#light:dir" >"$tmp/log" 2>&1; ls "$tmp/c3")" g
is 'as a named context' "$(printf 'FROM scratch\nCOPY --from=r g /\n' | "$slipway" build -q -o "$tmp/c4" --secret "id=GIT_AUTH_TOKEN,src=$tmp/token" \
    --build-context "r=$url/private/app.git#light:dir" - >"$tmp/log" 2>&1; ls "$tmp/c4")" g
: >"$tmp/b"
is 'with a submodule of another host' "$(add "$url/private/app.git#mods" --secret "id=GIT_AUTH_TOKEN,src=$tmp/token")" \
    "./.gitmodules $all ./mod/.git ./mod/s 1"
is 'which does not see the token' "$(cut -d' ' -f2- "$tmp/b" | sort -u)" '-'
is 'no secret is in the image' "$(add "--keep-git-dir=true $url/private/app.git" --secret "id=GIT_AUTH_TOKEN,src=$tmp/token"; grep -rlE 'sesame|eC1hY2' "$tmp/out")" \
    "./.git $all 1"
with=$(echo "$url" | sed 's,//,//me:secret@,')
is 'a password in the URL is not kept' "$(add "--keep-git-dir=true $with/app.git" >/dev/null; grep -rl secret "$tmp/out/.git"; git -C "$tmp/out" remote get-url origin)" \
    "$url/app.git"
add "$with/missing.git" >"$tmp/log2"
is 'nor said where it fails' "$(grep -c 'ERROR.*//127.0.0.1' "$tmp/log2") $(grep 'ERROR' "$tmp/log2" | grep -c secret)" '1 0'

# ---- ssh ----
sshd=$(PATH="$PATH:/usr/sbin" command -v sshd)
if [ -z "$sshd" ] || ! have ssh-agent || ! have ssh-keygen || ! is_root || ! as_user true; then
    skip 'ssh' 'needs sshd, ssh-agent, root and an ordinary user'
    done_testing
    exit
fi
mkdir "$tmp/ssh"
ssh-keygen -q -t ed25519 -N '' -f "$tmp/ssh/host"
ssh-keygen -q -t ed25519 -N '' -f "$tmp/ssh/key"
cp "$tmp/ssh/key.pub" "$tmp/ssh/authorized"
port=$(python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])')
chown -R slipway-test "$tmp/ssh" "$tmp/www"
chmod 700 "$tmp/ssh"
# As an ordinary user, who alone can log in then: no other user of the host is needed.
cat >"$tmp/sshd_config" <<C
ListenAddress 127.0.0.1:$port
HostKey $tmp/ssh/host
AuthorizedKeysFile $tmp/ssh/authorized
PidFile none
StrictModes no
UsePAM no
PasswordAuthentication no
SetEnv GIT_CONFIG_COUNT=1 GIT_CONFIG_KEY_0=safe.directory GIT_CONFIG_VALUE_0=*
C
setpriv --reuid slipway-test --regid "$(id -g slipway-test)" --clear-groups "$sshd" -D -e -f "$tmp/sshd_config" 2>"$tmp/sshd.log" &
servers="$servers $!"
agent=$tmp/agent
ssh-agent -D -a "$agent" >/dev/null 2>&1 &
servers="$servers $!"
i=0
until SSH_AUTH_SOCK="$agent" ssh-add -q "$tmp/ssh/key" 2>/dev/null || [ $i -ge 200 ]; do
    sleep 0.05
    i=$((i + 1))
done
export GIT_SSH_COMMAND="ssh -F none -o BatchMode=yes -o StrictHostKeyChecking=accept-new -o UserKnownHostsFile=$tmp/known"
ssh_url=ssh://slipway-test@127.0.0.1:$port$tmp/www/private/app.git
i=0
until grep -q listening "$tmp/sshd.log" || [ $i -ge 200 ]; do
    sleep 0.05
    i=$((i + 1))
done
unset SSH_AUTH_SOCK
fails 'ssh without an agent' 1 'denied|publickey' add "$ssh_url"
is 'ssh with --ssh default' "$(add "$ssh_url" --ssh "default=$agent")" "$all 1" || diag "$(cat "$tmp/sshd.log")"
is 'the agent of the environment' "$(SSH_AUTH_SOCK=$agent add "$ssh_url#feature/x:dir" --ssh default)" './Dockerfile ./g '
is 'a query' "$(add "$ssh_url?branch=feature/x" --ssh "default=$agent")" "$all 2"
is 'a context' "$("$slipway" build -q -o "$tmp/c5" --ssh "default=$agent" "$ssh_url#light:dir" >"$tmp/log" 2>&1; ls "$tmp/c5")" g
is 'ssh with a file of a key' "$(add "$ssh_url#feature/x" --ssh "default=$tmp/ssh/key")" "$all 2"
is 'a context by a key' "$("$slipway" build -q -o "$tmp/c6" --ssh "default=$tmp/ssh/key" "$ssh_url#light:dir" >"$tmp/log" 2>&1; ls "$tmp/c6")" g
fails 'a key that opens nothing' 1 'denied|publickey' add "$ssh_url" --ssh "default=$tmp/ssh/host"
done_testing
