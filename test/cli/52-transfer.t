#!/bin/sh
# The client against a registry that misbehaves: broken transfers, expired tokens, mirrors, proxies,
# certificates, HTTP/2.
. "$(dirname "$0")/lib.sh"
need python3 openssl

servers=
# hostile NAME [CERT KEY [CA]]: sets NAME to its address; its log is $tmp/NAME.log
hostile() {
    name=$1
    shift
    python3 test/cli/hostile.py "$tmp/src" "$tmp/$name.port" "$tmp/$name.log" "$@" &
    servers="$servers $!"
    n=0
    until [ -s "$tmp/$name.port" ] || [ $n -ge 200 ]; do sleep 0.1; n=$((n + 1)); done
    eval "$name=127.0.0.1:$(cat "$tmp/$name.port")"
}
stop_servers() { [ -z "$servers" ] || { kill $servers; wait $servers; } 2>/dev/null; }
at_exit stop_servers
export DOCKER_CONFIG="$tmp/docker" HOME="$tmp/home" SLIPWAY_REGISTRIES="$tmp/registries.json"
unset http_proxy https_proxy all_proxy no_proxy HTTP_PROXY HTTPS_PROXY ALL_PROXY NO_PROXY SSL_CERT_FILE
mkdir "$HOME"
set -- $(python3 test/cli/ocilayout.py "$tmp/src" $((4 << 20)))
amd64=$2
big=$("$slipway" inspect --format '{{index .Layers 1}}' --platform linux/amd64 "oci:$tmp/src:multi")
hostile bad
fresh() { rm -rf "$SLIPWAY_ROOT"; }
pull() { "$slipway" pull -q --platform linux/amd64 "$@"; }
# asked REPOSITORY: requests for the large blob, as METHOD RANGE STATUS
asked() { grep "/$1/blobs/$big " "$tmp/bad.log" | awk '$1 == "GET" {print $3, $4}'; }

is 'a plain pull' "$(pull "$bad/plain:1")" "$amd64"
fresh
is 'a connection that breaks again and again' "$(pull "$bad/cut:1")" "$amd64"
like 'goes on where it broke' "$(asked cut)" '^bytes=1048576- 206'
is 'with no byte twice' "$(asked cut | wc -l | tr -d ' ')" 5
fresh
is 'a server without ranges' "$(pull "$bad/norange:1")" "$amd64"
fresh
fails 'a blob that is too short' 1 'bytes|ended|short' "$slipway" pull -q --platform linux/amd64 "$bad/short:1"
fails 'a blob with other bytes' 1 'digest' "$slipway" pull -q --platform linux/amd64 "$bad/changed:1"
is 'leave nothing behind' "$(ls "$SLIPWAY_ROOT/blobs/sha256" | grep -c "${big#sha256:}")" 0
is 'neither a part' "$(ls "$SLIPWAY_ROOT/slipway/partial" | wc -l | tr -d ' ')" 0
is 'busy with Retry-After is waited for' "$(pull "$bad/busy:1")" "$amd64"
fresh
is 'a token that expires in the middle of a blob' "$(pull "$bad/expire:1")" "$amd64"
like 'is renewed, and the blob goes on' "$(asked expire)" '^bytes=1048576- 206'
fresh
is 'addresses that are good only once' "$(pull "$bad/signed:1")" "$amd64"
like 'are asked for again' "$(grep elsewhere "$tmp/bad.log")" 'elsewhere/2/.* bytes=1048576- 206'

# A pull that is killed.
fresh
part=$SLIPWAY_ROOT/slipway/partial/${big#sha256:}
# kill_pull: begins one that stalls, kills it once half of the blob is there
kill_pull() {
    "$slipway" pull -q --platform linux/amd64 "$bad/stall:1" >/dev/null 2>&1 &
    pid=$!
    n=0
    until [ "$(stat -c %s "$part" 2>/dev/null || echo 0)" -gt 2000000 ] || [ $n -ge 200 ]; do sleep 0.1; n=$((n + 1)); done
    kill -9 $pid
    wait $pid 2>/dev/null
}
kill_pull
ok 'a killed pull leaves what it has' test -s "$part"
have=$(stat -c %s "$part")
: >"$tmp/bad.log"
is 'the next one' "$(pull "$bad/stall:1")" "$amd64"
is 'asks for the rest alone' "$(asked stall)" "bytes=$have- 206"
is 'and leaves no part' "$(ls "${part%/*}" | wc -l | tr -d ' ')" 0
for repo in changed reset norange plain; do
    fresh
    mkdir -p "$SLIPWAY_ROOT"
    "$slipway" images >/dev/null
    mkdir -p "${part%/*}"
    head -c 3000000 /dev/urandom >"$part"
    case $repo in
    changed) fails 'changed on both sides: refused' 1 digest "$slipway" pull -q --platform linux/amd64 "$bad/changed:1" ;;
    *) is "what is left is not of this blob ($repo): from the beginning" "$(pull "$bad/$repo:1")" "$amd64" ;;
    esac
done
fresh
"$slipway" images >/dev/null
mkdir -p "${part%/*}"
head -c 9000000 /dev/zero >"$part"
is 'more is left than the blob has' "$(pull "$bad/plain:1")" "$amd64"
touch -d '3 days ago' "${part%/*}/old" && "$slipway" tag plain:none x >/dev/null 2>&1
"$slipway" tag "$bad/plain:1" x:1
is 'what nobody went on with goes' "$(ls "${part%/*}" | wc -l | tr -d ' ')" 0

# Pushing.
push() { "$slipway" copy -q --platform linux/amd64 "oci:$tmp/src:multi" "$@"; }
is 'an upload that breaks again and again' "$(push "$bad/pushcut:1")" "$amd64"
like 'the registry is asked how far it came' "$(cat "$tmp/bad.log")" 'GET /v2/pushcut/blobs/uploads/[0-9]* - 204'
is 'an upload that the registry forgot' "$(push "$bad/pushlost:1")" "$amd64"
is 'a token that expires in the middle of a push' "$(push "$bad/pushexpire:1")" "$amd64"
like 'is renewed, and the upload goes on' "$(cat "$tmp/bad.log")" 'GET /v2/pushexpire/blobs/uploads/[0-9]* - 204'

# Mirrors: below a path; one that has nothing, one that breaks in the middle, one that lies.
mirror() { printf '{"registries":{"%s":{"mirrors":["%s"]}}}' "$1" "$2" >"$SLIPWAY_REGISTRIES"; }
hostile other
fresh
mirror nowhere.invalid "http://$other/below"
is 'a mirror is enough' "$(pull nowhere.invalid/plain:1)" "$amd64"
like 'for blobs, too' "$(cat "$tmp/other.log")" "GET /below/v2/plain/blobs/$big - 200"
fresh
mirror "$bad" "http://127.0.0.1:1"
is 'a mirror that is down is passed over' "$(pull "$bad/plain:1")" "$amd64"
fresh
: >"$tmp/other.log"
mirror "$bad" "http://$other"
fails 'a mirror that lies is found out' 1 digest "$slipway" pull -q --platform linux/amd64 "$bad/changed:1"
rm "$SLIPWAY_REGISTRIES"

# A proxy, for names that resolve nowhere.
fresh
is 'http_proxy' "$(http_proxy="http://$bad" pull --insecure-registry registry.invalid registry.invalid/plain:1)" "$amd64"
like 'was asked' "$(cat "$tmp/bad.log")" "^PROXY GET /v2/plain/blobs/$big "
fails 'no_proxy' 1 resolve env http_proxy="http://$bad" no_proxy=registry.invalid "$slipway" pull -q \
    --insecure-registry registry.invalid registry.invalid/plain:1

# Certificates.
subject() { openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -keyout "$tmp/$1.key" -out "$tmp/$1.crt" -subj "/CN=$1" -addext 'subjectAltName=IP:127.0.0.1' 2>/dev/null; }
subject server
subject client
hostile tls "$tmp/server.crt" "$tmp/server.key"
hostile mutual "$tmp/server.crt" "$tmp/server.key" "$tmp/client.crt"
fresh
fails 'an unknown certificate is refused' 1 'certificate' "$slipway" pull -q "$tls/plain:1"
is 'SSL_CERT_FILE' "$(SSL_CERT_FILE="$tmp/server.crt" pull "$tls/plain:1")" "$amd64"
fresh
is 'insecure by name' "$(pull --insecure-registry "$tls" "$tls/plain:1")" "$amd64"
fresh
fails 'but not by another name' 1 'certificate' "$slipway" pull -q --insecure-registry "$bad" "$tls/plain:1"
certs=$HOME/.config/containers/certs.d
mkdir -p "$certs/$tls" "$certs/$mutual"
cp "$tmp/server.crt" "$certs/$tls/ca.crt"
cp "$tmp/server.crt" "$certs/$mutual/ca.crt"
is 'certs.d' "$(pull "$tls/plain:1")" "$amd64"
fresh
fails 'a registry that wants our certificate' 1 '.' "$slipway" pull -q "$mutual/plain:1"
cp "$tmp/client.crt" "$certs/$mutual/client.cert"
cp "$tmp/client.key" "$certs/$mutual/client.key"
is 'gets it from certs.d' "$(pull "$mutual/plain:1")" "$amd64"

# HTTP/2, where it is offered.
if have nginx && nginx -V 2>&1 | grep -q http_v2; then
    fresh
    port=$(python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])')
    cat >"$tmp/nginx.conf" <<N
daemon off; pid $tmp/nginx.pid; error_log $tmp/nginx.err;
events {}
http {
    log_format p '\$server_protocol \$request_method \$uri'; access_log $tmp/nginx.log p;
    client_body_temp_path $tmp/nginx.1; proxy_temp_path $tmp/nginx.2; fastcgi_temp_path $tmp/nginx.3;
    uwsgi_temp_path $tmp/nginx.4; scgi_temp_path $tmp/nginx.5; client_max_body_size 0;
    server {
        listen 127.0.0.1:$port ssl http2; ssl_certificate $tmp/server.crt; ssl_certificate_key $tmp/server.key;
        location / { proxy_pass http://$bad; proxy_http_version 1.1; proxy_set_header Host \$http_host; }
    }
}
N
    nginx -p "$tmp" -c "$tmp/nginx.conf" 2>/dev/null &
    servers="$servers $!"
    n=0
    until [ -s "$tmp/nginx.pid" ] || [ $n -ge 100 ]; do sleep 0.1; n=$((n + 1)); done
    is 'HTTP/2: pull' "$(SSL_CERT_FILE="$tmp/server.crt" pull "127.0.0.1:$port/plain:1")" "$amd64"
    like 'was spoken' "$(cat "$tmp/nginx.log")" '^HTTP/2.0 GET /v2/plain/blobs/'
    is 'HTTP/2: push' "$(SSL_CERT_FILE="$tmp/server.crt" push "127.0.0.1:$port/pushall:1")" "$amd64"
    like 'was spoken, too' "$(cat "$tmp/nginx.log")" '^HTTP/2.0 PATCH /v2/pushall/blobs/'
else
    skip 'HTTP/2' 'nginx with http_v2 is missing'
fi
done_testing
