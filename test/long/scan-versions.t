#!/bin/sh
# Version orders against the originals, on generated pairs: dpkg --compare-versions, rpm's Lua.
# PAIRS sets how many (100000); the seed is fixed.
cd "$(dirname "$0")/../.." || exit 2
agree=${AGREE:-build/test/agree/agree_versions}
pairs=${PAIRS:-100000}
tmp=$(mktemp -d) || exit 2
trap 'rm -rf "$tmp"' EXIT

# Half of the pairs are a version and the same with one part changed, so that they are close.
generate() {
    awk -v n="$pairs" -v alphabet="$1" -v epochs="$2" -v releases="$3" 'BEGIN {
        srand(20990101)
        k = split(alphabet, c, "")
        for (i = 0; i < n; i++) {
            a = version(); b = rand() < 0.5 ? version() : change(a)
            print a " " b
        }
    }
    function word(max,   s, j) { s = ""; for (j = int(rand() * max) + 1; j > 0; j--) s = s c[int(rand() * k) + 1]; return s }
    function version(   s) {
        s = int(rand() * 10) word(8)
        if (releases && rand() < 0.6) s = s "-" int(rand() * 10) word(4)
        if (epochs && rand() < 0.2) s = int(rand() * 3) ":" s
        return s
    }
    function change(v,   at) { at = int(rand() * length(v)) + 1; if (at <= index(v, ":") + 1 || substr(v, at, 1) == "-") return v; return substr(v, 1, at - 1) c[int(rand() * k) + 1] substr(v, at + 1) }'
}
result() {
    n=$(paste -d ' ' "$2" "$3" "$4" | awk '$1 != $2 { n++; if (n < 6) print "# original " $1 ", ours " $2 ": " $3 " " $4 >"/dev/stderr" } END { print n + 0 }')
    [ "$n" = 0 ] && echo "ok $5 - $1: $pairs pairs agree" || echo "not ok $5 - $1: $n of $pairs pairs differ"
}
echo 1..2
if command -v dpkg >/dev/null; then
    generate '0011223456789abzAZ..++~~' 1 1 >"$tmp/pairs"
    "$agree" dpkg <"$tmp/pairs" >"$tmp/ours"
    while read -r a b; do
        if dpkg --compare-versions "$a" lt "$b" 2>/dev/null; then echo -1
        elif dpkg --compare-versions "$a" eq "$b" 2>/dev/null; then echo 0; else echo 1; fi
    done <"$tmp/pairs" >"$tmp/theirs"
    result dpkg "$tmp/theirs" "$tmp/ours" "$tmp/pairs" 1
else
    echo 'ok 1 - dpkg # SKIP dpkg is not installed'
fi
if command -v rpm >/dev/null; then
    generate '0011223456789abzAZ.._~~^^' 1 1 >"$tmp/pairs"
    "$agree" rpm <"$tmp/pairs" >"$tmp/ours"
    rpm --eval "%{lua: for line in io.lines('$tmp/pairs') do local a, b = line:match('(%S+) (%S+)'); print(rpm.vercmp(a, b) .. '\n') end}" 2>/dev/null | grep . >"$tmp/theirs"
    result rpm "$tmp/theirs" "$tmp/ours" "$tmp/pairs" 2
else
    echo 'ok 2 - rpm # SKIP rpm is not installed'
fi
