#!/bin/sh
# Why a step was not in the cache: build --explain, --fail-on-miss.
. "$(dirname "$0")/lib.sh"
base_images
mkdir -p "$tmp/app/src"
cat >"$tmp/app/Dockerfile" <<'D'
FROM busybox AS builder
ARG MODE=fast
WORKDIR /app
COPY src ./src
RUN echo $MODE > mode
RUN cat src/* > all
FROM busybox
COPY --from=builder /app/all /all
D
echo one >"$tmp/app/src/one"
echo two >"$tmp/app/src/two"
explain() { "$slipway" build --progress quiet --explain "$@" "$tmp/app" 2>&1; }

like 'a first build knows of no earlier one' "$(explain)" 'no earlier build of this step is known'
out=$(explain)
is 'a second one hits everywhere' "$(printf '%s\n' "$out" | grep -c '^hit')" 5
is 'and misses nowhere' "$(printf '%s\n' "$out" | grep -c '^miss')" 0
memory=$(ls -i "$SLIPWAY_ROOT"/slipway/explain/*)
explain >/dev/null
is 'nothing is written where nothing changed' "$(ls -i "$SLIPWAY_ROOT"/slipway/explain/*)" "$memory"

echo three >"$tmp/app/src/two"
echo new >"$tmp/app/src/new"
rm "$tmp/app/src/one"
fails '--fail-on-miss names the inputs' 1 'Dockerfile:4: COPY.*fail-on-miss.*file src/new is new' \
    "$slipway" build --fail-on-miss "$tmp/app"
out=$(explain)
like 'a changed file is named' "$out" 'file src/two changed'
like 'a new one' "$out" 'file src/new is new'
like 'one that is gone' "$out" 'file src/one is gone'
like 'what it was' "$out" '- 0644 0:0 [0-9a-f]{12} at /app/src/two'
like 'the line' "$out" '^miss  Dockerfile:4: \[builder\] COPY src'
like 'steps after it follow from it' "$out" 'the steps before it made something else'
like 'and are counted' "$out" 'costs 3 later steps'
is 'the directory before it is a hit' "$(printf '%s\n' "$out" | grep -c '^hit')" 1

out=$(explain --build-arg MODE=slow)
like 'a variable' "$out" 'variable MODE changed'
like 'its value before' "$out" '- fast$'
like 'its value now' "$out" '[+] slow$'
out=$(explain --build-arg MODE=slow --build-arg API_TOKEN=hunter2)
is 'an undeclared argument changes nothing' "$(printf '%s\n' "$out" | grep -c '^miss')" 0

sed -i 's/^ARG MODE=fast/ARG MODE=fast\nARG API_TOKEN=none/' "$tmp/app/Dockerfile"
explain --build-arg API_TOKEN=hunter2 >/dev/null
out=$(explain --build-arg API_TOKEN=hunter3)
like 'a secret variable is named' "$out" 'variable API_TOKEN changed'
is 'its value is not shown' "$(printf '%s\n' "$out" | grep -c hunter)" 0
is 'nor kept' "$(cat "$SLIPWAY_ROOT"/slipway/explain/* | grep -c hunter)" 0

sed -i 's/cat src/cat  src/' "$tmp/app/Dockerfile"
out=$(explain --build-arg API_TOKEN=hunter3)
like 'a command' "$out" 'command changed'
like 'with its text' "$out" '- cat src/[*] > all'

"$slipway" build --progress quiet --no-cache "$tmp/app" >/dev/null 2>&1
like '--no-cache is said' "$(explain --no-cache)" 'the cache was not to be used'
printf 'FROM scratch\nCOPY . /\n' >"$tmp/app/Dockerfile"
explain >/dev/null
"$slipway" build --progress quiet "$tmp/app" >/dev/null 2>&1
echo more >"$tmp/app/src/two"
"$slipway" build --progress quiet --explain=json "$tmp/app" 2>"$tmp/json" >/dev/null
is 'as JSON' "$(grep -c '"input": "file src/two"' "$tmp/json")" 1
like 'with the line' "$(cat "$tmp/json")" '"line": 2'

# The memory is of no weight: damaged, it is forgotten.
echo 'slipway explain 1
step broken' >"$(ls "$SLIPWAY_ROOT"/slipway/explain/* | head -1)"
ok 'a damaged memory does not matter' "$slipway" build --explain "$tmp/app"

# Times of the context are clamped to the last commit, which invalidates no command.
cat >"$tmp/app/Dockerfile" <<'D'
FROM busybox
COPY src /src
RUN cat /src/* > /all
D
SOURCE_DATE_EPOCH=1000 explain >/dev/null
out=$(SOURCE_DATE_EPOCH=2000 explain)
like 'a later SOURCE_DATE_EPOCH makes another COPY layer' "$out" '^miss.*COPY'
like 'and runs nothing again' "$out" '^hit.*RUN'
SOURCE_DATE_EPOCH=2000 "$slipway" build -q "$tmp/app" >"$tmp/warm" 2>/dev/null
SOURCE_DATE_EPOCH=2000 "$slipway" build -q --no-cache "$tmp/app" >"$tmp/cold" 2>/dev/null
is 'with the bytes of a build without cache' "$(cat "$tmp/warm")" "$(cat "$tmp/cold")"
done_testing
