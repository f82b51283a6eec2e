#!/bin/sh
# Findings in Go programs against govulncheck in binary mode, entry by entry and level by level
# (module, package, function). Needs govulncheck (GOVULNCHECK, or in PATH), go, python3, and the Go
# advisories: VULNDB=ZIP, else golang.org/x/vulndb through GOPROXY.
cd "$(dirname "$0")/../.." || exit 2
slipway=$PWD/${SLIPWAY:-build/src/cmd/slipway}
skip_all() { echo "1..0 # SKIP $1"; exit 0; }
command -v go >/dev/null || skip_all 'go is not installed'
command -v python3 >/dev/null || skip_all 'python3 is not installed'
tmp=$(mktemp -d) || exit 2
trap 'chmod -R u+w "$tmp"; rm -rf "$tmp"' EXIT
export SLIPWAY_ROOT="$tmp/root" GOFLAGS=
peer=${GOVULNCHECK:-$(command -v govulncheck)}
[ -n "$peer" ] || skip_all 'govulncheck is not in PATH'
"$slipway" db update -q ${VULNDB:+"go=$VULNDB"} || skip_all 'the Go advisories cannot be fetched'
zip=${VULNDB:-$SLIPWAY_ROOT/slipway/scan/sources/go}
python3 - "$zip" "$tmp/vulndb" <<'PY'
import json, os, sys, zipfile
z, out = zipfile.ZipFile(sys.argv[1]), sys.argv[2]
os.makedirs(out + "/ID"); os.makedirs(out + "/index")
mods, vulns, when = {}, [], "2026-01-01T00:00:00Z"
for n in z.namelist():
    if not n.endswith(".json") or ("/" in n and "/data/osv/" not in n): continue
    d = json.loads(z.read(n))
    if "withdrawn" in d: continue
    d["modified"] = d["published"] = when
    json.dump(d, open(f"{out}/ID/{d['id']}.json", "w"))
    vulns.append({"id": d["id"], "modified": when, "aliases": d.get("aliases", [])})
    for a in d["affected"]:
        mods.setdefault(a["package"]["name"], {})[d["id"]] = {"id": d["id"], "modified": when}
json.dump({"modified": when}, open(out + "/index/db.json", "w"))
json.dump(vulns, open(out + "/index/vulns.json", "w"))
json.dump([{"path": m, "vulns": list(v.values())} for m, v in sorted(mods.items())], open(out + "/index/modules.json", "w"))
PY
mkdir "$tmp/app" && cd "$tmp/app" || exit 2
cat >main.go <<'GO'
package main

import (
	"fmt"
	"net/http"
	"os"

	"golang.org/x/net/html"
	"golang.org/x/text/language"
	yaml "gopkg.in/yaml.v2"
)

func main() {
	_, e := html.Parse(os.Stdin)
	t, _, e2 := language.ParseAcceptLanguage("en")
	var m map[string]interface{}
	e3 := yaml.Unmarshal([]byte("a: 1"), &m)
	fmt.Println(e, t, e2, e3, http.ListenAndServe("127.0.0.1:0", nil))
}
GO
printf 'module example.org/app\n\ngo 1.20\n\nrequire (\n\tgolang.org/x/net v0.0.0-20210405180319-a5a99cb37ef4\n\tgolang.org/x/text v0.3.5\n\tgopkg.in/yaml.v2 v2.2.3\n)\n' >go.mod
go mod tidy 2>/dev/null || skip_all 'the modules cannot be fetched'
# Go 1.18 and later: what govulncheck reads.
for v in ${GO_RELEASES:-go1.20.7 go1.21.0 go1.23.4 local}; do
    GOTOOLCHAIN=$v go build -o "$v" . 2>/dev/null || continue
    GOTOOLCHAIN=$v go build -trimpath -buildmode=pie -o "$v.pie" . 2>/dev/null
    GOTOOLCHAIN=$v GOOS=windows go build -o "$v.exe" . 2>/dev/null
    GOTOOLCHAIN=$v GOOS=darwin GOARCH=arm64 go build -o "$v.macho" . 2>/dev/null
done
cat >compare.py <<'PY'
import glob, json, subprocess, sys
slipway, peer, db = sys.argv[1:4]
files = sorted(f for f in glob.glob("go1*") + glob.glob("local*"))
print(f"1..{len(files)}")
bad = 0
for number, f in enumerate(files, 1):
    text = subprocess.run([peer, "-mode", "binary", "-format", "json", "-db", "file://" + db, f], capture_output=True, text=True).stdout
    theirs, i, decoder = {}, 0, json.JSONDecoder()
    while True:
        while i < len(text) and text[i].isspace(): i += 1
        if i >= len(text): break
        o, i = decoder.raw_decode(text, i)
        if "finding" in o:
            frame = o["finding"]["trace"][0]
            level = 3 if "function" in frame else 2 if "package" in frame else 1
            theirs[o["finding"]["osv"]] = max(theirs.get(o["finding"]["osv"], 0), level)
    levels = {"unknown": 1, "not-linked": 1, "package": 2, "function": 3}
    ours = {}
    for x in json.loads(subprocess.run([slipway, "scan", "--quiet", "--format", "json", "--binary", f], capture_output=True, text=True).stdout)["findings"]:
        ours[x["id"]] = max(ours.get(x["id"], 0), levels[x["linked"]])
    same = theirs == ours and theirs
    bad += not same
    print(f"{'ok' if same else 'not ok'} {number} - {f}: {len(theirs)} entries, {sum(v == 3 for v in theirs.values())} with a linked function")
    for k in sorted(set(theirs) | set(ours)):
        if theirs.get(k) != ours.get(k): print(f"# {k}: govulncheck {theirs.get(k)}, slipway {ours.get(k)}")
sys.exit(bad != 0)
PY
python3 compare.py "$slipway" "$peer" "$tmp/vulndb"
