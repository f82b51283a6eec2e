#!/bin/sh
# Images scanned in their registry, signed verdicts, the registry's gate, signed databases.
. "$(dirname "$0")/lib.sh"
command -v curl >/dev/null || skip_all 'curl is missing'
command -v python3 >/dev/null || skip_all 'python3 is missing'

data=$tmp/data server=
stop_server() { [ -z "$server" ] || { kill -TERM "$server"; wait "$server"; } 2>/dev/null; server=; }
at_exit stop_server
export DOCKER_CONFIG="$tmp/docker" HOME="$tmp/home"
mkdir -p "$HOME"
"$slipway" registry serve -a 127.0.0.1:0 --port-file "$tmp/port" --data "$data" --gc-interval 0 2>>"$tmp/log" &
server=$!
n=0
until [ -s "$tmp/port" ] || [ $n -ge 100 ]; do sleep 0.1; n=$((n + 1)); done
at=127.0.0.1:$(cat "$tmp/port")
password=$(cat "$data/initial-admin-password")
scan() { "$slipway" scan --quiet "$@"; }
ok 'an advisory database' "$slipway" db update -q "fixture=$top/test/fixtures/advisories"

# Two images on one base: one with a vulnerable package, one without.
base=$tmp/base
mkdir -p "$base/etc" "$base/var/lib/dpkg"
printf 'ID=debian\nVERSION_ID="12"\n' >"$base/etc/os-release"
head -c 20000 /dev/urandom >"$base/etc/noise"
package() { printf 'Package: libfixture1\nStatus: install ok installed\nArchitecture: all\nSource: fixture\nVersion: %s\n\n' "$1" >"$base/var/lib/dpkg/status"; }
image() { tar -C "$base" -cf "$tmp/image.tar" . && "$slipway" import "$tmp/image.tar" "$at/stage/app:$1" >/dev/null 2>&1; }
package 1.2-3 && image good
package 1.2-2 && image bad
fails 'a registry that wants a login says so' 1 'slipway login' scan "docker://$at/stage/app:good"
ok 'login' sh -c "printf '%s\n' '$password' | '$slipway' login -u admin --password-stdin $at"
for tag in good bad; do ok "push $tag" "$slipway" push "$at/stage/app:$tag"; done
like 'what is here is not asked for elsewhere' "$(scan "$at/stage/app:good" --image-src local --log-level debug 2>&1)" 'verdict: pass'

# From elsewhere: a store that has nothing.
db=$SLIPWAY_ROOT/slipway/scan/advisories.db
export SLIPWAY_ROOT="$tmp/empty"
ok 'an image in its registry' scan --db "$db" "$at/stage/app:good"
fails 'what it has is found' 10 'CVE-2099-0003' scan --db "$db" --severity LOW "$at/stage/app:bad"
is 'no image was stored' "$(find "$SLIPWAY_ROOT/blobs" -type f 2>/dev/null | wc -l | tr -d ' ')" 0
fails 'a tag that is not there' 1 'no manifest nosuch' scan --db "$db" "$at/stage/app:nosuch"
fails 'the store alone' 1 'no image' scan --db "$db" --image-src local "$at/stage/app:good"
fails 'a platform that is not there' 1 'not for linux/sparc64x|platform' scan --db "$db" --platform linux/sparc64x "docker://$at/stage/app:good"
ln -s "$slipway" "$tmp/trivy"
export TRIVY_USERNAME=admin TRIVY_PASSWORD="$password"
ok 'as trivy, with its variables for credentials' env DOCKER_CONFIG="$tmp/none" "$tmp/trivy" image --db "$db" --no-cache "$at/stage/app:good"
unset TRIVY_USERNAME TRIVY_PASSWORD


# The gate: nothing enters prod/* without a verdict that is signed and passes.
ok 'a key' "$slipway" key generate "$tmp/release.key"
ok 'another' "$slipway" key generate "$tmp/other.key"
fails 'a key is never replaced' 1 'exist' "$slipway" key generate "$tmp/release.key"
is 'the secret half is its owner'\''s' "$(stat -c %a "$tmp/release.key")" 600
is 'the public half comes out of the secret one' "$("$slipway" key public "$tmp/release.key")" "$(cat "$tmp/release.key.pub")"
python3 - "$tmp" <<'PY'
import json, sys
tmp = sys.argv[1]
json.dump({"predicate": "https://slipway.dev/attestation/scan/v1", "key": open(tmp + "/release.key.pub").read(),
           "where": {"verdict": "pass"}, "from": "stage/**"}, open(tmp + "/rule.json", "w"))
PY
ok 'a rule that wants a verdict' "$slipway" registry rule --data "$data" --value-file "$tmp/rule.json" add attest 'prod/**'
ok 'a robot that releases' curl -sf -u "admin:$password" -H 'content-type: application/json' "http://$at/api/v1/accounts" -d '{"name":"robot$rel","robot":true,"password":"relpassword","roles":[{"role":"releaser","repositories":"prod/**"},{"role":"viewer","repositories":"stage/**"}]}'
digest() { "$slipway" referrers --format json "$at/stage/app:$1" >/dev/null 2>&1; curl -s -u "admin:$password" -I -H 'accept: application/vnd.oci.image.manifest.v1+json' "http://$at/v2/stage/app/manifests/$1" | tr -d '\r' | sed -n 's/^[Dd]ocker-[Cc]ontent-[Dd]igest: //p'; }
promote() { is "$1" "$(curl -s -o "$tmp/body" -w '%{http_code}' -u 'robot$rel:relpassword' -H 'content-type: application/json' "http://$at/api/v1/promote" -d "{\"from\":\"stage/app\",\"to\":\"prod/app\",\"digest\":\"$(digest "$2")\",\"tags\":[\"$2\"]}")" "$3"; }
promote 'nothing is promoted without a verdict' good 403
ok 'a verdict by another key' scan --db "$db" --sign-key "$tmp/other.key" --attach "$at/stage/app:good"
promote 'does not open the gate' good 403
fails 'a verdict of failure is signed, too' 10 'attached as sha256' scan --db "$db" --severity LOW --sign-key "$tmp/release.key" --attach "$at/stage/app:bad"
promote 'and does not open it' bad 403
ok 'a verdict that passes' scan --db "$db" --sign-key "$tmp/release.key" --attach --attestation "$tmp/verdict.json" --predicate "$tmp/predicate.json" "$at/stage/app:good"
promote 'opens it' good 204
promote 'for that image alone' bad 403
like 'the attestations are listed at the image' "$("$slipway" referrers "$at/stage/app:good" | wc -l)" 2
like 'the statement names the rules that were applied' "$(tr -d ' \n' <"$tmp/predicate.json")" '"verdict":"pass".*"severities":\["CRITICAL","HIGH"\]'
if have openssl; then
    python3 - "$tmp" <<'PY'
import base64, json, sys
e = json.load(open(sys.argv[1] + "/verdict.json"))
body, kind = base64.b64decode(e["payload"]), e["payloadType"].encode()
open(sys.argv[1] + "/signed", "wb").write(b"DSSEv1 %d %s %d %s" % (len(kind), kind, len(body), body))
open(sys.argv[1] + "/signature", "wb").write(base64.b64decode(e["signatures"][0]["sig"]))
PY
    ok 'openssl verifies the signature' openssl pkeyutl -verify -pubin -inkey "$tmp/release.key.pub" -rawin -in "$tmp/signed" -sigfile "$tmp/signature"
    openssl ecparam -name prime256v1 -genkey -noout -out "$tmp/ec.key" 2>/dev/null && chmod 600 "$tmp/ec.key"
    ok 'keys of openssl sign as well' scan --db "$db" --sign-key "$tmp/ec.key" --attestation "$tmp/ec.json" "$at/stage/app:good"
fi
fails 'a key without a use' 2 'goes with' scan --db "$db" --sign-key "$tmp/release.key" "$at/stage/app:good"
fails 'a directory has no digest to sign' 2 'only verdicts on images' scan --db "$db" --sign-key "$tmp/release.key" --attestation "$tmp/x" --rootfs "$base" --severity CRITICAL
chmod 644 "$tmp/other.key"
fails 'a key that everybody may read is refused' 1 'everybody may read' scan --db "$db" --sign-key "$tmp/other.key" --attestation "$tmp/x" "$at/stage/app:good"
chmod 600 "$tmp/other.key"

# A registry as a fleet.
audit() { "$slipway" audit --db "$db" "$@"; }
printf 'fail:\n  severity: [LOW]\n' >"$tmp/low.yaml"
fails 'the audit of a registry' 10 "$at/stage/app:bad .* 1 +0 +fail" audit --policy "$tmp/low.yaml" "$at"
like 'has every image' "$(audit "$at" | grep -c "^$at/.*/app")" 3
like 'or those that are named' "$(audit "docker://$at/stage/*:go*" | grep -c "^$at/.*/app")" 1
like 'what did not change is not judged again' "$(audit --changed "$at")" '3 of 3 images: nothing changed'
ok 'one repository, without the right to list all' sh -c "printf '%s' relpassword | '$slipway' login -u 'robot\$rel' --password-stdin $at && '$slipway' audit --db '$db' 'docker://$at/prod/app'"
fails 'a repository that may not be read is not clean' 11 'cannot be scanned' audit "docker://$at/other/app"
ok 'login again' sh -c "printf '%s\n' '$password' | '$slipway' login -u admin --password-stdin $at"

# Databases that travel are signed.
SLIPWAY_ROOT=$tmp/root
ok 'a signed export' "$slipway" db export --sign-key "$tmp/release.key" "$tmp/travel.db"
ok 'is verified' "$slipway" db verify --key "$tmp/release.key.pub" "$tmp/travel.db"
export SLIPWAY_ROOT="$tmp/second" SLIPWAY_DB_KEY="$tmp/release.key.pub"
ok 'and imported' "$slipway" db import "$tmp/travel.db"
cp "$tmp/travel.db" "$tmp/unsigned.db"
fails 'an unsigned one is refused' 1 'not signed' "$slipway" db import "$tmp/unsigned.db"
fails 'also for a single scan' 1 'not signed' scan --db "$tmp/unsigned.db" --rootfs "$base"
fails 'one by another key' 1 'trusted' env SLIPWAY_DB_KEY="$tmp/other.key.pub" "$slipway" db import "$tmp/travel.db"
ok 'another database' env -u SLIPWAY_DB_KEY SLIPWAY_ROOT="$tmp/third" "$slipway" db update -q "fixture=$top/test/fixtures/advisories" "again=$top/test/fixtures/advisories"
ok 'and its export' env -u SLIPWAY_DB_KEY SLIPWAY_ROOT="$tmp/third" "$slipway" db export "$tmp/forged.db"
cp "$tmp/travel.db.sig" "$tmp/forged.db.sig"
fails 'a signature of other bytes' 1 'of other bytes' "$slipway" db import "$tmp/forged.db"
python3 - "$tmp/travel.db.sig" "$tmp/forged.sig" <<'PY'
import base64, json, sys
e = json.load(open(sys.argv[1]))
body = base64.b64decode(e["payload"]).replace(b'"format":1', b'"format":2')
e["payload"] = base64.b64encode(body).decode()
json.dump(e, open(sys.argv[2], "w"))
PY
fails 'a statement that was changed' 1 'trusted' "$slipway" db import --signature "$tmp/forged.sig" "$tmp/travel.db"
unset SLIPWAY_DB_KEY
cp "$tmp/release.key.pub" "$SLIPWAY_ROOT/slipway/scan/advisories.pub"
fails 'a key in the state is asked for, too' 1 'not signed' "$slipway" db import "$tmp/unsigned.db"
rm "$SLIPWAY_ROOT/slipway/scan/advisories.pub"

# Whatever the registry sends is compared with its digest; what was scanned before is not sent again.
export SLIPWAY_ROOT="$tmp/empty"
for f in $(find "$data/data" -type f -size +19k); do printf 'garbage' | dd of="$f" bs=1 seek=9000 conv=notrunc 2>/dev/null; done
ok 'a layer that is known is not fetched' scan --db "$db" "docker://$at/stage/app:good"
fails 'damaged bytes are an error, not a clean image' 1 'layer 1 .*(digest|content|bytes)' scan --db "$db" --no-cache "docker://$at/stage/app:good"
stop_server
fails 'a registry that is gone is an error' 1 'scanning' scan --db "$db" "docker://$at/stage/app:good"
done_testing
