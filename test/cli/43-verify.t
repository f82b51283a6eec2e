#!/bin/sh
# slipway verify and slipway diff.
. "$(dirname "$0")/lib.sh"
base_images
mkdir "$tmp/app"
cat >"$tmp/app/Dockerfile" <<'D'
FROM busybox
ARG TEXT=one
COPY in /in
RUN echo "$TEXT" > /made && chmod 640 /made
LABEL text=$TEXT
D
echo hello >"$tmp/app/in"
ok 'a reproducible build' "$slipway" verify "$tmp/app"
like 'is said to be' "$("$slipway" verify "$tmp/app" 2>/dev/null)" '^reproducible: sha256:'
ok 'with options of build' "$slipway" verify --build-arg TEXT=two --compression zstd "$tmp/app"
is 'no copy is left' "$(TMPDIR="$tmp/t" && mkdir "$tmp/t" && TMPDIR="$tmp/t" "$slipway" verify "$tmp/app" >/dev/null 2>&1; ls "$tmp/t" | wc -l)" 0

"$slipway" build -q -t a "$tmp/app" >/dev/null
"$slipway" build -q -t b --build-arg TEXT=other "$tmp/app" >/dev/null
ok 'an image is no different from itself' "$slipway" diff a a
fails 'images that differ' 1 '/made: content from byte 1' "$slipway" diff a b
out=$("$slipway" diff a b)
like 'the bytes before' "$out" '- 6e650a$'
like 'the bytes after' "$out" '[+] 746865720a$'
like 'the step' "$out" '^layer 3: RUN '
like 'the configuration' "$out" '^config .config.Labels.text'

sed -i 's/chmod 640/chmod 600/; s/^COPY in .in/COPY --chown=5:6 in \/in2/' "$tmp/app/Dockerfile"
"$slipway" build -q -t c "$tmp/app" >/dev/null
out=$("$slipway" diff a c)
like 'a mode' "$out" '/made: mode'
like 'an entry of the first' "$out" '/in is only in the first'
like 'an entry of the second' "$out" '/in2 is only in the second'

printf 'FROM busybox\nRUN cat /proc/sys/kernel/random/uuid > /id\n' >"$tmp/app/Dockerfile"
fails 'a build that is not reproducible' 1 'not reproducible' "$slipway" verify "$tmp/app"
like 'names the file and the bytes' "$(cat "$tmp/.out")" '/id: content from byte [0-9]+'
like 'and the step' "$(cat "$tmp/.out")" '^layer 2: RUN .*random/uuid'
# What must not find its way into an image, and did.
leak() {
    printf 'FROM busybox\n%s\n' "$2" >"$tmp/app/Dockerfile"
    fails "caught: $1" 1 '^  /leak: (content|size)' "$slipway" verify "$tmp/app"
}
leak 'the date' 'RUN date >/leak'
leak 'the time in seconds, alone' 'RUN date +%s >/leak'
if [ "$(nproc)" -gt 1 ]; then leak 'the processors' 'RUN grep Cpus_allowed_list /proc/self/status >/leak'; fi
printf 'FROM busybox\nCOPY . /c\nRUN touch /x /c/y; mkdir -p /d/e; id >/i; ls -lR /c | wc -l >/n; env >/env; hostname >/h; umask >/u; pwd >/p\n' >"$tmp/app/Dockerfile"
mkdir -p "$tmp/app/z/y/x" "$tmp/app/a"
for f in b d e c z/q z/y/n z/y/x/1 a/1; do echo $f >"$tmp/app/$f"; done
ln "$tmp/app/b" "$tmp/app/hard"
ln -s b "$tmp/app/soft"
chmod 400 "$tmp/app/d"
ok 'not caught: new files, their times, the user, the environment, the host name, the mask' "$slipway" verify "$tmp/app"
ok 'from a file system that keeps the order of names' env TMPDIR="$([ -w /dev/shm ] && echo /dev/shm || echo "$tmp")" "$slipway" verify "$tmp/app"
printf 'FROM busybox\nARG TZ\nRUN echo $TZ >/tz\n' >"$tmp/app/Dockerfile"
ok 'a variable that --build-arg passes on is the same in both' env TZ=UTC "$slipway" verify --build-arg TZ "$tmp/app"
fails 'a failing build' 1 'build 1' sh -c "printf 'FROM busybox\nRUN false\n' > $tmp/app/Dockerfile; $slipway verify $tmp/app"
fails 'standard input' 2 'directory' "$slipway" verify -
printf 'FROM busybox\nRUN cat /proc/sys/kernel/random/uuid > /id\n' >"$tmp/app/Dockerfile"
first=$("$slipway" build -q "$tmp/app")
second=$("$slipway" build -q --no-cache "$tmp/app")
ok '--no-cache has the result of its own execution' test "$first" != "$second"
is 'and later builds have it, too' "$("$slipway" build -q "$tmp/app")" "$second"
done_testing
