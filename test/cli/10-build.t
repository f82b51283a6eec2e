#!/bin/sh
# Building: a two-stage image, the cache, reproducibility, errors.
. "$(dirname "$0")/lib.sh"
base_images
mkdir "$tmp/app"
cat >"$tmp/app/Dockerfile" <<'D'
FROM busybox AS builder
WORKDIR /app
COPY hello.txt ./
RUN cat hello.txt hello.txt > out.txt
FROM busybox:latest
WORKDIR /root/
COPY --from=builder /app/out.txt .
EXPOSE 8080
ENV GREETING="hello world"
CMD ["cat", "out.txt"]
D
echo hello >"$tmp/app/hello.txt"
ok 'a two-stage build' "$slipway" build -t app:1.0 "$tmp/app"
is 'the image runs' "$("$slipway" run app:1.0)" 'hello
hello'
is 'CMD' "$("$slipway" inspect --format '{{json .Config.Cmd}}' app:1.0)" '["cat","out.txt"]'
is 'ENV' "$("$slipway" inspect --format '{{json .Config.Env}}' app:1.0)" '["PATH=/bin","GREETING=hello world"]'
is 'EXPOSE' "$("$slipway" inspect --format '{{json .Config.ExposedPorts}}' app:1.0)" '{"8080/tcp":{}}'
is 'WORKDIR' "$("$slipway" inspect --format '{{.Config.WorkingDir}}' app:1.0)" '/root/'
is 'layers of the builder are not in it' "$("$slipway" inspect --format '{{len .RootFS.Layers}}' app:1.0)" 2
first=$("$slipway" inspect --format '{{.Digest}}' app:1.0)

out=$("$slipway" build -t app:1.0 "$tmp/app" 2>&1)
is 'a second build executes nothing' "$(printf '%s\n' "$out" | grep -c CACHED)" 5
is 'and gives the same image' "$("$slipway" inspect --format '{{.Digest}}' app:1.0)" "$first"
touch -d 2001-02-03 "$tmp/app/hello.txt"
out=$("$slipway" build "$tmp/app" 2>&1)
is 'times of context files do not matter' "$(printf '%s\n' "$out" | grep -c CACHED)" 5
echo other >"$tmp/app/hello.txt"
touch -d 2001-02-03 "$tmp/app/hello.txt"
"$slipway" build -t app:2 "$tmp/app" >/dev/null 2>&1
is 'contents do, whatever their time' "$("$slipway" run app:2)" 'other
other'
echo hello >"$tmp/app/hello.txt"
cp -R "$tmp/app" "$tmp/elsewhere"
ok 'without the cache, elsewhere' "$slipway" build --no-cache -t again "$tmp/elsewhere"
is 'the same bytes' "$("$slipway" inspect --format '{{.Digest}}' again)" "$first"
ok 'on one processor' taskset -c 0 "$slipway" build --no-cache -t again "$tmp/elsewhere"
is 'the same bytes again' "$("$slipway" inspect --format '{{.Digest}}' again)" "$first"
id=$("$slipway" build -q "$tmp/app" 2>"$tmp/err")
is '-q prints the image ID' "$id" "$("$slipway" inspect --format '{{.Id}}' app:1.0)"
is 'and nothing else' "$(cat "$tmp/err")" ''
ok 'files with results' "$slipway" build --iidfile "$tmp/iid" --metadata-file "$tmp/meta" -t app:1.0 "$tmp/app"
is '--iidfile' "$(cat "$tmp/iid")" "$id"
like '--metadata-file' "$(cat "$tmp/meta")" "\"containerimage.digest\": \"$first\""
"$slipway" build --progress rawjson "$tmp/app" 2>"$tmp/json"
ok 'rawjson is a JSON document a line' python3 -c 'import json,sys
for line in open(sys.argv[1]): json.loads(line)' "$tmp/json"
ok 'SOURCE_DATE_EPOCH decides times' env SOURCE_DATE_EPOCH=1700000000 "$slipway" build -t dated "$tmp/app"
is 'created' "$("$slipway" inspect --format '{{.Created}}' dated)" '2023-11-14T22:13:20Z'

# ---- errors ----
build() { "$slipway" build -f - "$@"; }
dockerfile() { printf '%b' "$1" >"$tmp/Dockerfile"; }
bad() { # NAME PATTERN DOCKERFILE
    dockerfile "$3"
    fails "$1" 1 "$2" "$slipway" build -f "$tmp/Dockerfile" "$tmp/app"
}
bad 'a failing RUN says line and status' 'Dockerfile:2: RUN: .*status 3' 'FROM busybox\nRUN exit 3\n'
bad 'with the lines around it' '2 \| >>> RUN exit 3' 'FROM busybox\nRUN exit 3\n'
bad 'a missing file suggests the nearest' 'did you mean hello.txt' 'FROM busybox\nCOPY helo.txt /\n'
bad 'an unknown instruction suggests one' 'RUN' 'FROM busybox\nRUNN true\n'
bad 'a missing stage' 'image nosuch' 'FROM busybox\nCOPY --from=nosuch /a /b\n'
bad 'a missing base image' 'base image nothere' 'FROM nothere\n'
bad 'an empty file' 'no instructions' ''
bad 'a command that does not exist' 'exec /no/such: no such file' 'FROM busybox\nRUN ["/no/such"]\n'
bad 'a user that does not exist' 'user "nobody9"' 'FROM busybox\nUSER nobody9\nRUN true\n'
bad 'a group that does not exist' 'group "g9"' 'FROM busybox\nUSER 0:g9\nRUN true\n'
printf 'hello.txt\n' >"$tmp/elsewhere/.dockerignore"
dockerfile 'FROM busybox\nCOPY hello.txt /\n'
fails 'a hidden file names the line that hides it' 1 'dockerignore:1 excludes it' "$slipway" build -f "$tmp/Dockerfile" "$tmp/elsewhere"
fails 'a missing context' 1 'nosuchdir' "$slipway" build "$tmp/nosuchdir"
fails 'an unknown target suggests the nearest' 2 'did you mean "builder"' "$slipway" build --target bilder "$tmp/app"
fails 'a bad name is refused before anything runs' 2 'tag' "$slipway" build -t 'Bad Name' "$tmp/app"
is 'nothing is left in tmp' "$(ls -A "$SLIPWAY_ROOT/slipway/tmp" 2>/dev/null | grep -v lock)" ''
done_testing
