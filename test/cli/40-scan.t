#!/bin/sh
# Scanning: the advisory database, images of several layers, verdicts and their exit statuses.
. "$(dirname "$0")/lib.sh"
advisories=$top/test/fixtures/advisories
scan() { "$slipway" scan --quiet "$@"; }

fails 'without a database nothing is clean' 1 'no advisory database.*db update' scan --rootfs /nonexistent
fails 'a source that is not there leaves no database' 1 'opening source' "$slipway" db update -q "$tmp/none.zip"
ok 'a directory of advisories is compiled' "$slipway" db update -q "fixture=$advisories"
ok 'and verified' "$slipway" db verify
like 'its status names the source' "$("$slipway" db status)" '^fixture +4 +3 '
is 'nothing new leaves it alone' "$("$slipway" db update)" 'the advisory database is up to date'
ok 'it is exported' "$slipway" db export "$tmp/exported.db"
cp "$tmp/exported.db" "$tmp/bad.db"
printf 'X' | dd of="$tmp/bad.db" bs=1 seek=5000 conv=notrunc 2>/dev/null
fails 'a damaged one is not imported' 1 'damaged' "$slipway" db import "$tmp/bad.db"
fails 'nor a file of another kind' 1 'damaged' "$slipway" db import "$advisories/GO-2099-0001.json"
ok 'a whole one is' "$slipway" db import "$tmp/exported.db"

# Other sources: the Go database's layout, a module of a proxy, exploited vulnerabilities, scores.
if have python3; then
    python3 - "$advisories" "$tmp" <<'PY'
import glob, gzip, json, os, sys, zipfile
src, tmp = sys.argv[1:3]
os.makedirs(tmp + "/layout/ID"); os.makedirs(tmp + "/layout/index")
docs = [json.load(open(f)) for f in sorted(glob.glob(src + "/GO-*.json"))]
for d in docs: json.dump(d, open(f"{tmp}/layout/ID/{d['id']}.json", "w"))
json.dump({"modified": "2026-01-02T00:00:00Z"}, open(tmp + "/layout/index/db.json", "w"))
json.dump([{"id": d["id"], "modified": d["modified"]} for d in docs], open(tmp + "/layout/index/vulns.json", "w"))
version = "v0.0.0-20260102000000-0123456789ab"
m = tmp + "/proxy/golang.org/x/vulndb"
os.makedirs(m + "/@v")
json.dump({"Version": version}, open(m + "/@latest", "w"))
with zipfile.ZipFile(f"{m}/@v/{version}.zip", "w") as z:
    z.writestr(f"golang.org/x/vulndb@{version}/go.mod", "module golang.org/x/vulndb\n")
    for d in docs: z.writestr(f"golang.org/x/vulndb@{version}/data/osv/{d['id']}.json", json.dumps(d))
json.dump({"vulnerabilities": [{"cveID": "CVE-2099-0003", "dateAdded": "2026-01-01"}]}, open(tmp + "/kev.json", "w"))
open(tmp + "/epss.csv.gz", "wb").write(gzip.compress(b"#score_date:2026-01-01T00:00:00+0000\ncve,epss,percentile\nCVE-2099-0003,0.5,0.9\n"))
PY
    ok 'the layout of the Go database' env SLIPWAY_ROOT="$tmp/layout-root" "$slipway" db update -q "file://$tmp/layout"
    like 'has its entries' "$(SLIPWAY_ROOT=$tmp/layout-root "$slipway" db status)" '^go +2 +2 '
    ok 'a module through GOPROXY' env SLIPWAY_ROOT="$tmp/proxy-root" GOPROXY="file://$tmp/proxy" "$slipway" db update -q golang.org/x/vulndb
    like 'has its version' "$(SLIPWAY_ROOT=$tmp/proxy-root "$slipway" db status)" '^go +2 +2 '
    fails 'no proxy, no module' 2 'GOPROXY names no proxy' env SLIPWAY_ROOT="$tmp/none-root" GOPROXY=off "$slipway" db update -q golang.org/x/vulndb
    ok 'exploited vulnerabilities and scores' env SLIPWAY_ROOT="$tmp/kev-root" "$slipway" db update -q "fixture=$advisories" "kev=$tmp/kev.json" "epss=$tmp/epss.csv.gz"
    printf '{"id":1}' >"$tmp/layout/ID/GO-2099-0001.json"
    sed -i 's/2026-01-02/2026-01-05/' "$tmp/layout/index/db.json" "$tmp/layout/index/vulns.json"
    fails 'a malformed advisory fails the update' 1 'GO-2099-0001.*must be' env SLIPWAY_ROOT="$tmp/layout-root" "$slipway" db update -q
    like 'and what was there stays' "$(SLIPWAY_ROOT=$tmp/layout-root "$slipway" db status)" '^go +2 +2 '
fi

# A root file system of Debian with one vulnerable package.
root=$tmp/r
mkdir -p "$root/etc" "$root/var/lib/dpkg"
printf 'ID=debian\nVERSION_ID="12"\nPRETTY_NAME="Debian 12"\n' >"$root/etc/os-release"
package() { printf 'Package: libfixture1\nStatus: install ok installed\nArchitecture: all\nSource: fixture\nVersion: %s\n\n' "$1" >"$root/var/lib/dpkg/status"; }
package 1.2-3
ok 'a fixed package passes' scan --rootfs "$root"
package 1.2-3~rc1
ok 'a low finding passes' scan --rootfs "$root"
fails 'unless low is asked for' 10 'CVE-2099-0003.*LOW' scan --rootfs "$root" --severity LOW
like 'the report names what fixes it' "$(scan --rootfs "$root" --format json)" '"fixed": "1.2-3"'
[ ! -d "$tmp/kev-root" ] || fails 'an exploited one fails, whatever its severity' 10 'exploited' scan --rootfs "$root" --db "$tmp/kev-root/slipway/scan/advisories.db"
printf 'CVE-2099-0003 exp:2000-01-01\n' >"$tmp/ignore"
fails 'an expired exception counts no more' 10 'past its day' scan --rootfs "$root" --severity LOW --ignorefile "$tmp/ignore"
printf 'CVE-2099-0003 # accepted\n' >"$tmp/ignore"
ok 'an exception does' scan --rootfs "$root" --severity LOW --ignorefile "$tmp/ignore"
printf '{"statements":[{"vulnerability":{"name":"CVE-2099-0003"},"status":"not_affected","justification":"x"}]}' >"$tmp/vex"
ok 'and so does a VEX statement' scan --rootfs "$root" --severity LOW --vex "$tmp/vex"
printf 'garbage' >"$root/var/lib/dpkg/status"
fails 'a damaged package list cannot be told' 11 'unreadable-file: var/lib/dpkg/status' scan --rootfs "$root"
rm "$root/var/lib/dpkg/status"
fails 'nothing to look at cannot be told' 11 'nothing-found' scan --rootfs "$root"
package 1.2-3
printf 'ID=debian\nVERSION_ID="9"\n' >"$root/etc/os-release"
fails 'a release without advisories, past its end, cannot be told' 11 'end-of-life' scan --rootfs "$root"
printf 'doubts:\n  end-of-life: fail\n' >"$tmp/policy"
fails 'unless the policy says what it means' 10 'verdict: fail' scan --rootfs "$root" --policy "$tmp/policy"
printf 'ID=debian\nVERSION_ID="12"\n' >"$root/etc/os-release"
package 1.2-2
for f in sarif cyclonedx spdx junit gitlab html openvex json; do
    scan --rootfs "$root" --format $f >"$tmp/report.$f" 2>/dev/null
    case $f in
    junit | html) like "report $f" "$(cat "$tmp/report.$f")" 'CVE-2099-0003' ;;
    *) if have python3; then ok "report $f is JSON" python3 -m json.tool "$tmp/report.$f"; else skip "report $f" 'python3 is not installed'; fi ;;
    esac
done
fails 'a finding in a bill of materials' 10 'CVE-2099-0003' scan --sbom "$tmp/report.cyclonedx" --severity LOW
fails 'a program that is none' 1 'not a Go program' scan --binary /bin/true
fails 'one target at a time' 2 'name one thing' scan --rootfs "$root" --binary /bin/true
# Packages of Bitnami say what they are in SPDX documents.
mkdir -p "$tmp/bitnami/adv" "$root/opt/bitnami/redis"
printf '{"id":"BIT-redis-2099-1","modified":"2099-01-01T00:00:00Z","aliases":["CVE-2099-0042"],"affected":[{"package":{"ecosystem":"Bitnami","name":"redis"},"severity":[{"type":"CVSS_V3","score":"CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:H/I:H/A:H"}],"ranges":[{"type":"SEMVER","events":[{"introduced":"0"},{"fixed":"7.2.4"}]}]}]}' >"$tmp/bitnami/adv/BIT-redis-2099-1.json"
redis() { printf '{"spdxVersion":"SPDX-2.3","packages":[{"name":"redis","externalRefs":[{"referenceType":"purl","referenceLocator":"pkg:bitnami/redis@%s?arch=amd64"}]},{"name":"x","externalRefs":[{"referenceType":"purl","referenceLocator":"pkg:github/x@1"}]}]}' "$1" >"$root/opt/bitnami/redis/.spdx-redis.spdx"; }
ok 'advisories of Bitnami' env SLIPWAY_ROOT="$tmp/bitnami/root" "$slipway" db update -q "fixture=$advisories" "bitnami=$tmp/bitnami/adv"
redis 7.2.3-5
fails 'a package of Bitnami' 10 'redis +BIT-redis-2099-1|redis +CVE-2099-0042' scan --rootfs "$root" --db "$tmp/bitnami/root/slipway/scan/advisories.db"
redis 7.2.4-0
ok 'its builds are no pre-releases' scan --rootfs "$root" --db "$tmp/bitnami/root/slipway/scan/advisories.db"
printf '{' >"$root/opt/bitnami/redis/.spdx-redis.spdx"
fails 'a document that cannot be read cannot be told' 11 'unreadable-file: opt/bitnami' scan --rootfs "$root" --db "$tmp/bitnami/root/slipway/scan/advisories.db"
rm -r "$root/opt"
ln -s "$slipway" "$tmp/trivy"
ok 'as trivy nobody is stopped who did not ask' "$tmp/trivy" rootfs --severity LOW "$root"
fails 'as trivy with an exit code' 3 'CVE-2099-0003' "$tmp/trivy" fs --severity LOW --exit-code 3 --scanners vuln "$root"
fails 'as trivy other scanners are refused' 2 'vulnerabilities only' "$tmp/trivy" fs --scanners secret "$root"
fails 'as trivy, kinds of packages' 2 'os or library' "$tmp/trivy" fs --pkg-types npm "$root"
if have jq || have python3; then
    ids() { if have jq; then jq -r '.Results[].Vulnerabilities[].VulnerabilityID'; else python3 -c 'import json,sys
for r in json.load(sys.stdin)["Results"]:
    for v in r["Vulnerabilities"]: print(v["VulnerabilityID"])'; fi; }
    is 'as trivy, the JSON that scripts read' "$("$tmp/trivy" fs -q -f json -s LOW,UNKNOWN "$root" | ids)" CVE-2099-0003
    is 'only programs' "$("$tmp/trivy" fs -q -f json --pkg-types library "$root" | ids)" ''
    is 'without a directory' "$("$tmp/trivy" fs -q -f json --skip-dirs /var/lib "$root" | ids)" ''
    is 'without a file' "$("$tmp/trivy" fs -q -f json --skip-files 'var/*/status' "$root" | ids)" ''
    printf 'vulnerabilities:\n  - id: CVE-2099-0003\n    paths: ["var/*"]\n    expired_at: 2999-01-01\n    statement: not reachable\n' >"$tmp/ignore.yaml"
    is 'an ignore file in YAML' "$("$tmp/trivy" fs -q -f json --ignorefile "$tmp/ignore.yaml" "$root" | ids)" ''
    like 'what was ignored can be shown' "$("$tmp/trivy" fs -q -f json --show-suppressed --ignorefile "$tmp/ignore.yaml" "$root" | tr -d ' \n')" '"ExperimentalModifiedFindings":\[\{"Type":"vulnerability","Status":"ignored","Statement":"notreachable"'
    like 'and all packages listed' "$("$tmp/trivy" fs -q -f json --list-all-pkgs "$root" | tr -d ' \n')" '"Name":"libfixture1","Identifier":\{"PURL":"pkg:deb/debian/libfixture1@1.2-2'
fi
like 'as trivy, its templates are formats' "$("$tmp/trivy" fs -q --format template --template '@/contrib/junit.tpl' "$root")" '<testsuites'
fails 'as trivy, other templates are refused' 2 'format template' "$tmp/trivy" fs -q --format template --template @mine.tpl "$root"
ok 'as trivy, fetching the database alone' env SLIPWAY_ROOT="$tmp/root" "$tmp/trivy" image -q --download-db-only

# Go programs.
if have go; then
    mkdir "$tmp/app"
    printf 'module example.org/app\n\ngo 1.20\n' >"$tmp/app/go.mod"
    printf 'package main\n\nimport "net/http"\n\nfunc main() { _ = http.ListenAndServe("127.0.0.1:0", nil) }\n' >"$tmp/app/main.go"
    (cd "$tmp/app" && GOFLAGS= GOTOOLCHAIN=local CGO_ENABLED=0 go build -trimpath -ldflags='-s -w' -o app . && GOFLAGS= GOTOOLCHAIN=local GOOS=windows go build -o app.exe . && GOFLAGS= GOTOOLCHAIN=local GOOS=darwin go build -o app.macho .) >"$tmp/go.log" 2>&1 || diag "$(cat "$tmp/go.log")"
    for p in app app.exe app.macho; do
        scan --binary "$tmp/app/$p" --format json >"$tmp/go.json" 2>/dev/null
        is "$p: critical by another database" "$?" 10
        is "$p: the linked function" "$(tr -d '\n' <"$tmp/go.json" | grep -o '"symbols": *\[[^]]*\]' | tr -d ' ')" '"symbols":["net/http.Server.Serve"]'
        fails "$p: without advisories nothing is clean" 11 'no-advisories' scan --binary "$tmp/app/$p" --no-advisories
        like "$p: what is not linked" "$(tr -d '\n ' <"$tmp/go.json")" '"id":"GO-2099-0002".*"linked":"not-linked"'
    done
    printf 'doubts:\n  no-advisories: pass\n  go-end-of-life: fail\n' >"$tmp/go-policy"
    ok 'unless the policy says so' scan --binary "$tmp/app/app" --no-advisories --policy "$tmp/go-policy"
    head -c 300000 "$tmp/app/app" >"$tmp/app/cut"
    scan --binary "$tmp/app/cut" >"$tmp/out" 2>&1
    code=$?
    ok 'a cut program is never clean' test $code = 11 -o $code = 1

    # Two layers: the second takes the program away again.
    mkdir -p "$tmp/l1/usr/bin" "$tmp/l2/usr/bin"
    cp "$tmp/app/app" "$tmp/l1/usr/bin/app"
    cp -r "$root/." "$tmp/l1"
    tar -C "$tmp/l1" -cf "$tmp/l1.tar" .
    "$slipway" import "$tmp/l1.tar" one:1 >/dev/null 2>&1
    fails 'an image of the store' 10 'usr/bin/app' scan one:1
    fails 'and again from what was kept' 10 'usr/bin/app' scan one:1
    "$slipway" save -o "$tmp/one.tar" one:1 >/dev/null 2>&1
    fails 'an archive' 10 'usr/bin/app' scan --input "$tmp/one.tar"
    gzip -k "$tmp/one.tar"
    fails 'a compressed archive' 10 'usr/bin/app' scan --input "$tmp/one.tar.gz"
    head -c 200000 "$tmp/one.tar" >"$tmp/cut.tar"
    fails 'a cut archive is an error' 1 'scanning' scan --input "$tmp/cut.tar"
    fails 'the audit names the release that helps' 10 'one:1 .*rebuild with Go|one:1 .*would be left' "$slipway" audit
    like 'an unchanged database changes nothing' "$("$slipway" audit --changed)" '1 of 1 images: nothing changed'
    cp -r "$advisories" "$tmp/more"
    sed 's/GO-2099-0002/GO-2099-0009/; s/2099-0002/2099-0009/' "$advisories/GO-2099-0002.json" >"$tmp/more/GO-2099-0009.json"
    "$slipway" db update -q "fixture=$tmp/more"
    fails 'a new advisory judges again' 10 'one:1' "$slipway" audit --changed
else
    skip 'Go programs' 'go is not installed'
fi
done_testing
