#!/bin/sh
# The registry's server against what goes wrong around it: its document and its routes, a full disk, links
# in its data, a new certificate, requests that lie about themselves.
. "$(dirname "$0")/lib.sh"
need curl python3

data=$tmp/data server=
start() {
    rm -f "$tmp/port"
    "$slipway" registry serve -a 127.0.0.1:0 --port-file "$tmp/port" --data "$data" --gc-interval 0 "$@" 2>>"$tmp/log" &
    server=$!
    n=0
    until [ -s "$tmp/port" ] || [ $n -ge 100 ]; do sleep 0.1; n=$((n + 1)); done
    at=127.0.0.1:$(cat "$tmp/port")
}
stop() { [ -z "$server" ] || { kill -TERM $server; wait $server; } 2>/dev/null; server=; }
unmount() { umount -l "$tmp/mnt" 2>/dev/null; }
at_exit unmount
at_exit stop
# status NAME WANT CURL-ARGUMENTS...
status() {
    name=$1 want=$2
    shift 2
    got=$(curl -s -o "$tmp/body" -w '%{http_code}' "$@")
    is "$name" "$got" "$want"
}
begin() { curl -si ${user:+-u "$user"} -X POST "http://$at/v2/a/blobs/uploads/" | tr -d '\r' | sed -n 's/^Location: //p'; }

# ---- the OpenAPI document is what the server does ----
start
user="admin:$(cat "$data/initial-admin-password")"
cat >"$tmp/document.py" <<'P'
import base64, http.client, json, re, sys
at, user = sys.argv[1:3]
headers = {"Authorization": "Basic " + base64.b64encode(user.encode()).decode(), "Content-Type": "application/json"}
def ask(method, path):
    c = http.client.HTTPConnection(at)
    c.request(method, path, None if method == "GET" else "{}", headers)
    r = c.getresponse()
    return r.status, r.read().decode()
paths = json.loads(ask("GET", "/api/v1/openapi.json")[1])["paths"]
for path, methods in paths.items():
    for method in ("get", "post", "put", "delete"):
        code, text = ask(method.upper(), path.replace("{name}", "nobody").replace("{id}", "999"))
        there = code != 405 and "there is nothing here" not in text
        if method in methods and not there:
            print("documented, but missing:", method, path, code)
        if method not in methods and there and code != 404:
            print("there, but not documented:", method, path, code)
routes = re.findall(r'\{"(/[^"]+)", SW_ROUTE_', open("src/registry/route.c").read())
routes += ["/api/v1/" + n for n in re.findall(r'\{"([a-z]+)", [a-z]+, (?:true|false)\}', open("src/registry/admin.c").read())]
if len(routes) < 15: print("the table of routes was not found:", routes)
for route in routes:
    if route != "/v2" and route not in paths: print("not documented:", route)
P
is 'the OpenAPI document and the routes agree' "$(python3 "$tmp/document.py" "$at" "$user")" ''

# ---- what strangers send ----
printf '%0100000d' 0 | tr 0 '[' >"$tmp/deep"
M='Content-Type: application/vnd.oci.image.manifest.v1+json'
status 'a deeply nested manifest is refused' 413 -u "$user" -X PUT -H "$M" --data-binary "@$tmp/deep" "http://$at/v2/a/manifests/1"
head -c 5000000 /dev/zero >"$tmp/zeros"
status 'a manifest too large is refused' 413 -u "$user" -X PUT -H "$M" --data-binary "@$tmp/zeros" "http://$at/v2/a/manifests/1"
for path in /v2/a/../../etc/passwd /v2/%2e%2e/%2e%2e/x/manifests/1 /v2/a/manifests/..%2f..%2fx /v2/a/blobs/uploads/../../x; do
    got=$(curl -s -o /dev/null -w '%{http_code}' --path-as-is -u "$user" "http://$at$path")
    case $got in 400 | 404) got=refused ;; esac
    is "no way out: $path" "$got" refused
done

# ---- retention keeps what is deployed ----
J='Content-Type: application/json'
printf '{}' >"$tmp/config"
config=$(sha256sum "$tmp/config" | cut -d' ' -f1)
status 'a config' 201 -u "$user" --data-binary "@$tmp/config" "http://$at/v2/t/app/blobs/uploads/?digest=sha256:$config"
for n in 1 2 3; do
    printf '{"schemaVersion":2,"mediaType":"application/vnd.oci.image.manifest.v1+json","config":{"mediaType":"a/b","digest":"sha256:%s","size":2},"layers":[],"annotations":{"n":"%s"}}' "$config" $n >"$tmp/m$n"
    status "image $n" 201 -u "$user" -X PUT -H "$M" --data-binary "@$tmp/m$n" "http://$at/v2/t/app/manifests/v$n"
done
deployed="{\"repository\":\"t/app\",\"digest\":\"sha256:$(sha256sum "$tmp/m1" | cut -d' ' -f1)\",\"place\":\"eu\"}"
status 'a rule' 201 -u "$user" -X POST -H "$J" -d '{"kind":"retention","repositories":"t/**","value":"{\"keep_last\":1}"}' "http://$at/api/v1/rules"
status 'a deployment' 204 -u "$user" -X PUT -H "$J" -d "$deployed" "http://$at/api/v1/deployed"
status 'a collection' 200 -u "$user" -X POST "http://$at/api/v1/gc"
is 'the last one and the deployed one stay' "$(curl -s -u "$user" "http://$at/v2/t/app/tags/list")" '{"name":"t/app","tags":["v1","v3"]}'
status 'it is deployed no more' 204 -u "$user" -X DELETE -H "$J" -d "$deployed" "http://$at/api/v1/deployed"
status 'another collection' 200 -u "$user" -X POST "http://$at/api/v1/gc"
is 'and goes' "$(curl -s -u "$user" "http://$at/v2/t/app/tags/list")" '{"name":"t/app","tags":["v3"]}'

# ---- what belongs to others ----
status 'an account' 201 -u "$user" -X POST -H "$J" -d '{"name":"ann","password":"annspassword"}' "http://$at/api/v1/accounts"
foreign="mount=sha256:$config"
status 'a blob is not mounted from where one may not pull' 202 -u ann:annspassword -X POST "http://$at/v2/ann/x/blobs/uploads/?$foreign&from=t/app"
status 'nor from anywhere' 202 -u ann:annspassword -X POST "http://$at/v2/ann/x/blobs/uploads/?$foreign"
status 'a known digest is not enough' 400 -u ann:annspassword --data-binary x "http://$at/v2/ann/x/blobs/uploads/?digest=sha256:$config"
status 'and the blob is not there' 404 -u ann:annspassword "http://$at/v2/ann/x/blobs/sha256:$config"
refresh=$(curl -s -d 'grant_type=password&username=ann&password=annspassword&access_type=offline&client_id=x' "http://$at/token" | sed -n 's/.*"refresh_token":"\([^"]*\)".*/\1/p')
again="grant_type=refresh_token&refresh_token=$refresh&scope=repository:ann/x:pull"
status 'a refresh token' 200 -d "$again" "http://$at/token"
status 'a new password' 204 -u "$user" -X PUT -H "$J" -d '{"password":"another-password"}' "http://$at/api/v1/accounts/ann"
status 'voids it' 401 -d "$again" "http://$at/token"

# ---- links where blobs should be ----
echo blob >"$tmp/blob"
digest=$(sha256sum "$tmp/blob" | cut -d' ' -f1)
status 'a blob' 201 -u "$user" --data-binary "@$tmp/blob" "http://$at/v2/a/blobs/uploads/?digest=sha256:$digest"
file=$(grep -rlx blob "$data/data")
mv "$file" "$tmp/kept"
echo secret >"$tmp/secret"
ln -s "$tmp/secret" "$file"
status 'a link in the place of a blob is not followed' 500 -u "$user" "http://$at/v2/a/blobs/sha256:$digest"
is 'nor shown' "$(grep -c secret "$tmp/body")" 0
rm "$file"
mv "$tmp/kept" "$file"
mv "${file%/*}" "$tmp/elsewhere"
ln -s "$tmp/elsewhere" "${file%/*}"
status 'nor one in the place of a directory' 500 -u "$user" "http://$at/v2/a/blobs/sha256:$digest"
rm "${file%/*}"
mv "$tmp/elsewhere" "${file%/*}"
status 'and nothing was lost' 200 -u "$user" "http://$at/v2/a/blobs/sha256:$digest"
stop

# ---- a certificate that is replaced ----
if command -v openssl >/dev/null; then
    certificate() {
        openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -subj "/CN=$1" \
            -addext 'subjectAltName=IP:127.0.0.1' -keyout "$tmp/$1.key" -out "$tmp/$1.pem" 2>/dev/null
    }
    certificate one && certificate two
    cp "$tmp/one.pem" "$tmp/tls.pem"
    cp "$tmp/one.key" "$tmp/tls.key"
    start --tls-cert "$tmp/tls.pem" --tls-key "$tmp/tls.key"
    status 'TLS' 200 --cacert "$tmp/one.pem" "https://$at/healthz"
    status 'a blob through TLS' 200 --cacert "$tmp/one.pem" -u "$user" "https://$at/v2/a/blobs/sha256:$digest"
    status 'an upload through TLS' 201 --cacert "$tmp/one.pem" -u "$user" -H 'Expect:' --data-binary "@$tmp/zeros" \
        "https://$at/v2/a/blobs/uploads/?digest=sha256:$(sha256sum "$tmp/zeros" | cut -d' ' -f1)"
    cp "$tmp/two.pem" "$tmp/tls.pem"
    cp "$tmp/two.key" "$tmp/tls.key"
    n=0
    until curl -sf -o "$tmp/body" --cacert "$tmp/two.pem" "https://$at/healthz" || [ $n -ge 100 ]; do sleep 0.2; n=$((n + 1)); done
    status 'a new certificate is read while it serves' 200 --cacert "$tmp/two.pem" "https://$at/healthz"
    stop
else
    skip 'openssl is missing'
fi

# ---- a disk that is full ----
if is_root && command -v mkfs.ext4 >/dev/null && truncate -s 24M "$tmp/disk" && mkfs.ext4 -q "$tmp/disk" 2>/dev/null &&
    mkdir "$tmp/mnt" && mount -o loop "$tmp/disk" "$tmp/mnt" 2>/dev/null; then
    data=$tmp/mnt/data user=''
    start --open
    head -c 40000000 /dev/zero >"$tmp/huge"
    digest=$(sha256sum "$tmp/huge" | cut -d' ' -f1)
    free() { df -k --output=avail "$tmp/mnt" | tail -1 | tr -d ' '; }
    status 'a small blob fits' 201 --data-binary "@$tmp/blob" "http://$at/v2/a/blobs/uploads/?digest=sha256:$(sha256sum "$tmp/blob" | cut -d' ' -f1)"
    before=$(free)
    status 'a blob that does not fit is refused' 507 -T "$tmp/huge" "http://$at$(begin)?digest=sha256:$digest"
    like 'and says why' "$(cat "$tmp/body")" 'disk is full'
    status 'in one request, too' 507 --data-binary "@$tmp/huge" "http://$at/v2/a/blobs/uploads/?digest=sha256:$digest"
    after=$(free)
    [ $((before - after)) -lt 1000 ]
    report $? 'the space is given back' || diag "before $before KiB, after $after KiB"
    status 'the server lives' 201 --data-binary "@$tmp/port" "http://$at/v2/a/blobs/uploads/?digest=sha256:$(sha256sum "$tmp/port" | cut -d' ' -f1)"
    status 'and says that it is short of room' 503 "http://$at/readyz"
    stop
else
    skip 'mounting a small file system needs root and loop devices'
fi

# ---- who holds connections ----
data=$tmp/slow user=''
start --open --speed-window 1
python3 - "$at" <<'P' >"$tmp/slow.out"
import socket, sys
host, port = sys.argv[1].split(":")
for text in (b"PATCH /v2/a/blobs/uploads/x HTTP/1.1\r\nHost: h\r\nContent-Length: 5000\r\n\r\nab",
             b"POST /token HTTP/1.1\r\nHost: h\r\nContent-Length: 5000\r\n\r\nab"):
    s = socket.create_connection((host, int(port)), 60)
    s.sendall(text)
    try:
        while s.recv(4096): pass
        print("closed")
    except OSError as e:
        print("closed" if isinstance(e, ConnectionError) else e)
P
is 'slow bodies lose their connection' "$(cat "$tmp/slow.out")" 'closed
closed'
stop
done_testing
