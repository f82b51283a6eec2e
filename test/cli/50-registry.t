#!/bin/sh
# The registry, served to our own client, curl and skopeo: accounts, rights, rules, audit, collection.
. "$(dirname "$0")/lib.sh"
command -v curl >/dev/null || skip_all 'curl is missing'

data=$tmp/data server=
start() {
    rm -f "$tmp/port"
    "$slipway" registry serve -a 127.0.0.1:0 --port-file "$tmp/port" --data "$data" \
        --gc-interval 0 "$@" 2>>"$tmp/log" &
    server=$!
    n=0
    until [ -s "$tmp/port" ] || [ $n -ge 100 ]; do sleep 0.1; n=$((n + 1)); done
    at=127.0.0.1:$(cat "$tmp/port")
}
stop() { [ -z "$server" ] || { kill "$1" $server; wait $server; } 2>/dev/null; server=; }
stop_all() { stop -TERM; }
at_exit stop_all
manage() { what=$1; shift; "$slipway" registry "$what" --data "$data" "$@"; }
# status NAME WANT CURL-ARGUMENTS...
status() {
    name=$1 want=$2
    shift 2
    got=$(curl -s -o "$tmp/body" -w '%{http_code}' "$@")
    is "$name" "$got" "$want"
}

export DOCKER_CONFIG="$tmp/docker" HOME="$tmp/home"
mkdir -p "$HOME"
start
password=$(cat "$data/initial-admin-password")

status 'v2 without credentials is 401' 401 "http://$at/v2/"
like 'the challenge names the token service' "$(curl -si "http://$at/v2/")" "Bearer realm=\"http://$at/token\""
status 'basic works directly' 200 -u "admin:$password" "http://$at/v2/"
status 'a wrong password is 401' 401 -u admin:wrong-password "http://$at/v2/"
status 'an unknown user is 401' 401 -u nobody:wrong-password "http://$at/v2/"
status 'a wrong password gets no token' 401 -u admin:wrong-password "http://$at/token"
status 'a traversing name is refused' 400 -u "admin:$password" --path-as-is "http://$at/v2/../../etc/passwd/manifests/x"
status 'a bad digest is 400' 400 -u "admin:$password" "http://$at/v2/a/blobs/sha256:abc"
status 'an unsigned token is refused' 401 -H 'Authorization: Bearer eyJhbGciOiJub25lIn0.eyJzdWIiOiJhZG1pbiJ9.' "http://$at/v2/"

# An image without tools: a layout made by hand.
blob() { d=$(sha256sum "$1" | cut -d' ' -f1); cp "$1" "$tmp/layout/blobs/sha256/$d"; echo "$d $(wc -c <"$1" | tr -d ' ')"; }
mkdir -p "$tmp/layout/blobs/sha256"
echo '{"imageLayoutVersion":"1.0.0"}' >"$tmp/layout/oci-layout"
mkdir "$tmp/fs"; echo hello >"$tmp/fs/hello"; tar -C "$tmp/fs" -cf "$tmp/layer.tar" hello
set -- $(blob "$tmp/layer.tar"); layer=$1 layer_size=$2
printf '{"architecture":"amd64","os":"linux","rootfs":{"type":"layers","diff_ids":["sha256:%s"]}}' "$layer" >"$tmp/config"
set -- $(blob "$tmp/config"); config=$1 config_size=$2
printf '{"schemaVersion":2,"mediaType":"application/vnd.oci.image.manifest.v1+json","config":{"mediaType":"application/vnd.oci.image.config.v1+json","digest":"sha256:%s","size":%s},"layers":[{"mediaType":"application/vnd.oci.image.layer.v1.tar","digest":"sha256:%s","size":%s}]}' \
    "$config" "$config_size" "$layer" "$layer_size" >"$tmp/manifest"
set -- $(blob "$tmp/manifest"); manifest=$1 manifest_size=$2
printf '{"schemaVersion":2,"manifests":[{"mediaType":"application/vnd.oci.image.manifest.v1+json","digest":"sha256:%s","size":%s,"annotations":{"org.opencontainers.image.ref.name":"1"}}]}' \
    "$manifest" "$manifest_size" >"$tmp/layout/index.json"

fails 'copy without a login is refused' 1 'authentication required' "$slipway" copy "oci:$tmp/layout:1" "$at/team/app:1"
ok 'login' sh -c "printf '%s\n' '$password' | '$slipway' login -u admin --password-stdin $at"
ok 'copy from a layout' "$slipway" copy "oci:$tmp/layout:1" "$at/team/app:1"
is 'tags' "$("$slipway" tags "$at/team/app")" 1
is 'catalog' "$("$slipway" catalog "$at")" team/app
ok 'pull into the store' "$slipway" pull "$at/team/app:1"
ok 'push from the store' "$slipway" push "$at/team/app:1" "$at/team/copy:2"
like 'a copy within the registry mounts' "$("$slipway" copy "$at/team/app:1" "$at/other/app:1" 2>&1)" '2 mounted'

# Accounts and roles count at the next request.
printf 'annspassword' >"$tmp/ann"
ok 'user add' manage user add ann --password-file "$tmp/ann"
manage robot add ci --role 'releaser=prod/**' >"$tmp/ci"
M='application/vnd.oci.image.manifest.v1+json'
status 'a person does not read what others own' 403 -u ann:annspassword "http://$at/v2/team/app/manifests/1"
ok 'role add' manage role add ann developer 'team/**'
status 'a role counts at once' 200 -u ann:annspassword "http://$at/v2/team/app/manifests/1"
status 'a developer pushes' 201 -u ann:annspassword -X PUT -H "Content-Type: $M" --data-binary "@$tmp/manifest" "http://$at/v2/team/app/manifests/2"
status 'a developer does not delete' 403 -u ann:annspassword -X DELETE "http://$at/v2/team/app/manifests/2"
status 'a developer does not write production' 403 -u ann:annspassword -X POST "http://$at/v2/prod/app/blobs/uploads/"
status 'an admin does not write production' 403 -u "admin:$password" -X POST "http://$at/v2/prod/app/blobs/uploads/"
status 'a releasing robot writes production' 202 -u "robot\$ci:$(cat "$tmp/ci")" -X POST "http://$at/v2/prod/app/blobs/uploads/"
token=$(curl -s -u ann:annspassword "http://$at/token?scope=repository:team/app:pull" | sed 's/.*"token":"\([^"]*\)".*/\1/')
status 'a token reads its repository' 200 -H "Authorization: Bearer $token" "http://$at/v2/team/app/manifests/1"
status 'a token does not read another' 401 -H "Authorization: Bearer $token" "http://$at/v2/team/copy/manifests/2"
status 'a token gives no more than asked' 401 -H "Authorization: Bearer $token" -X POST "http://$at/v2/team/app/blobs/uploads/"
status 'a changed token is refused' 401 -H "Authorization: Bearer ${token}x" "http://$at/v2/team/app/manifests/1"
ok 'user disable' manage user disable ann
status 'a revocation counts for issued tokens' 401 -H "Authorization: Bearer $token" "http://$at/v2/team/app/manifests/1"
status 'and for passwords that were remembered' 401 -u ann:annspassword "http://$at/v2/team/app/manifests/1"

# Rules.
status 'nobody reads without a rule' 401 "http://$at/v2/team/app/manifests/1"
manage rule add anonymous 'team/app' >/dev/null
status 'anonymous pulls by rule' 200 "http://$at/v2/team/app/manifests/1"
status 'but v2 still wants credentials' 401 "http://$at/v2/"
manage rule add immutable 'team/**' '1' >/dev/null
status 'an immutable tag is not deleted' 403 -u "admin:$password" -X DELETE "http://$at/v2/team/app/manifests/1"
status 'other tags are' 202 -u "admin:$password" -X DELETE "http://$at/v2/team/app/manifests/2"
manage rule add quota 'small/**' 10 >/dev/null
status 'a quota refuses' 403 -u "admin:$password" --data-binary "@$tmp/config" "http://$at/v2/small/a/blobs/uploads/?digest=sha256:$config"
fails 'a rule that means nothing is refused' 1 keep_last manage rule add retention 'a/**' '{"keep_last":"x"}'

# Uploads survive kill -9.
location=$(curl -si -u "admin:$password" -X POST "http://$at/v2/team/app/blobs/uploads/" | tr -d '\r' | sed -n 's/^Location: //p')
printf 'abcdef' >"$tmp/blob"
digest=$(sha256sum "$tmp/blob" | cut -d' ' -f1)
status 'a chunk' 202 -u "admin:$password" -X PATCH --data-binary 'abc' "http://$at$location"
stop -KILL
start
like 'the upload is where it was' "$(curl -si -u "admin:$password" "http://$at$location")" 'Range: 0-2'
status 'a chunk out of order is 416' 416 -u "admin:$password" -X PATCH -H 'Content-Range: 4-5' --data-binary 'ef' "http://$at$location"
status 'the rest' 202 -u "admin:$password" -X PATCH -H 'Content-Range: 3-5' --data-binary 'def' "http://$at$location"
status 'the end' 201 -u "admin:$password" -X PUT "http://$at$location?digest=sha256:$digest"
is 'the blob' "$(curl -s -u "admin:$password" "http://$at/v2/team/app/blobs/sha256:$digest")" abcdef
is 'a range of it' "$(curl -s -u "admin:$password" -r 2-3 "http://$at/v2/team/app/blobs/sha256:$digest")" cd

# A body of many buffers, with a length and without one, and one that is larger than what is allowed.
cat "$slipway" "$slipway" | head -c 3000001 >"$tmp/large"
large=$(sha256sum "$tmp/large" | cut -d' ' -f1)
begin() { curl -si -u "admin:$password" -X POST "http://$at/v2/team/app/blobs/uploads/" | tr -d '\r' | sed -n 's/^Location: //p'; }
status 'a large blob' 201 -u "admin:$password" -T "$tmp/large" "http://$at$(begin)?digest=sha256:$large"
is 'comes back whole' "$(curl -s -u "admin:$password" "http://$at/v2/team/app/blobs/sha256:$large" | sha256sum | cut -d' ' -f1)" "$large"
status 'and is deleted' 202 -u "admin:$password" -X DELETE "http://$at/v2/team/app/blobs/sha256:$large"
location=$(begin)
status 'the same in chunks' 202 -u "admin:$password" -X PATCH -H 'Transfer-Encoding: chunked' --data-binary "@$tmp/large" "http://$at$location"
status 'then ended' 201 -u "admin:$password" -X PUT "http://$at$location?digest=sha256:$large"
is 'comes back whole, too' "$(curl -s -u "admin:$password" "http://$at/v2/team/app/blobs/sha256:$large" | sha256sum | cut -d' ' -f1)" "$large"
status 'a wrong digest of a large body is 400' 400 -u "admin:$password" -T "$tmp/large" "http://$at$(begin)?digest=sha256:$digest"

# Collection and audit, beside the server.
like 'a dry run says what would go' "$(manage gc -n --grace 0)" 'would remove'
status 'and removes nothing' 200 -u "admin:$password" "http://$at/v2/team/app/blobs/sha256:$digest"
ok 'gc' manage gc --grace 0
status 'what nothing needs is gone' 404 -u "admin:$password" "http://$at/v2/team/app/blobs/sha256:$digest"
status 'what an image needs is not' 200 "http://$at/v2/team/app/blobs/sha256:$layer"
like 'the trail knows who pushed' "$(manage audit --action push)" 'allowed ann'
like 'and what was refused' "$(manage audit --refused)" 'REFUSED'
like 'its chain verifies' "$(manage audit --verify)" 'the last hash is'
is 'pulls are not, unless asked for' "$(manage audit --action pull | grep -c allowed)" 0
stop -TERM
start --audit-pulls
status 'a pull by tag' 200 "http://$at/v2/team/app/manifests/1"
status 'a pull by digest' 200 -u "admin:$password" "http://$at/v2/team/app/manifests/sha256:$manifest"
status 'a pull of nothing' 404 -u "admin:$password" "http://$at/v2/team/app/manifests/none"
stop -TERM
is 'pulls are in the trail' "$(manage audit --action pull --digest "sha256:$manifest" | grep -c 'allowed .* pull team/app')" 2
is 'with who pulled' "$(manage audit --action pull --account admin | grep -c allowed)" 1
start --rate-account 1 --rate 1000
i=0
while [ $i -lt 6 ]; do
    curl -si -u "admin:$password" "http://$at/v2/"
    i=$((i + 1))
done >"$tmp/many"
like 'an account has its rate' "$(tr -d '\r' <"$tmp/many")" '429 Too Many'
like 'and is told when to come back' "$(tr -d '\r' <"$tmp/many")" 'Retry-After: 1'
status 'others are not slowed' 200 "http://$at/v2/team/app/manifests/1"
stop -TERM
if command -v sqlite3 >/dev/null; then
    sqlite3 "$data/meta.db" "UPDATE audit SET entry = entry || ' ' WHERE seq = 2"
    fails 'a changed entry is found' 1 'entry 2 is not what was written' manage audit --verify
else
    skip 'sqlite3 is missing'
fi
is 'no secret is in the log' "$(grep -c "$password" "$tmp/log")" 0
done_testing
