#!/bin/sh
# RUN and run on hosts without an overlay file system: the same layers, by copying.
. "$(dirname "$0")/lib.sh"
base_images
"$slipway" version 2>/dev/null | grep -q . || true
mkdir "$tmp/ctx"
echo data >"$tmp/ctx/file"
without() { SLIPWAY_FAULT=overlay:1+:ENOSYS SLIPWAY_ROOT="$tmp/root2" "$@"; }
SLIPWAY_ROOT="$tmp/root2" "$slipway" import -c 'CMD ["sh"]' -c 'ENV PATH=/bin' "$tmp/busybox.tar" busybox:latest >/dev/null
# same NAME DOCKERFILE: both ways give the same image
same() {
    printf '%b' "$2" >"$tmp/ctx/Dockerfile"
    a=$("$slipway" build -q "$tmp/ctx" 2>"$tmp/err1")
    b=$(without "$slipway" build -q "$tmp/ctx" 2>"$tmp/err2")
    [ -n "$a" ] || diag "$(cat "$tmp/err1")"
    [ -n "$b" ] || diag "$(cat "$tmp/err2")"
    is "$1" "$b" "${a:-an image}"
}
same 'new files' 'FROM busybox\nRUN echo a > /a; mkdir -p /d/e; echo b > /d/e/f; chmod 600 /a; ln -s a /l\n'
same 'a changed file' 'FROM busybox\nRUN echo x >> /etc/passwd\n'
same 'a changed mode, owner' 'FROM busybox\nRUN chmod 600 /etc/group; chown 5:6 /etc/passwd\n'
same 'the same size and old time' 'FROM busybox\nRUN sed s/root/toor/ /etc/passwd > /x; touch -r /etc/passwd /x; cat /x > /etc/passwd; touch -r /x /etc/passwd; rm /x\n'
same 'a removed file' 'FROM busybox\nRUN rm /etc/passwd\n'
same 'a removed directory' 'FROM busybox\nRUN mkdir -p /v/w; echo 1 > /v/a; echo 2 > /v/w/b\nRUN rm -r /v /home\n'
same 'a directory that is made again is opaque' 'FROM busybox\nRUN mkdir -p /v/w; echo 1 > /v/a; echo 2 > /v/w/b\nRUN rm -r /v; mkdir /v; echo n > /v/-new; echo m > /v/zz\n'
same 'a directory becomes a file' 'FROM busybox\nRUN rm -r /home; echo x > /home\n'
same 'a file becomes a directory' 'FROM busybox\nRUN rm /etc/group; mkdir /etc/group; echo x > /etc/group/y\n'
same 'whiteouts among other names' 'FROM busybox\nRUN touch /etc/a /etc/h /etc/z /etc/-b; rm /etc/group\n'
same 'hard links' 'FROM busybox\nRUN echo x > /b; ln /b /a; ln /etc/passwd /etc/q\n'
same 'renames' 'FROM busybox\nRUN mv /etc/passwd /etc/was; mv /etc/group /g\n'
same 'nothing' 'FROM busybox\nRUN true\n'
same 'a directory touched' 'FROM busybox\nRUN touch /etc/x; rm /etc/x; chmod 711 /home\n'
same 'a second RUN over the first' 'FROM busybox\nRUN mkdir /d; echo 1 > /d/a; echo 2 > /d/b; rm /etc/group\nRUN rm /d/a; echo 3 > /d/c; test ! -e /etc/group\nRUN rm -r /d; mkdir /d; touch /d/x\n'
same 'COPY --from of what was removed and made' 'FROM busybox AS a\nRUN rm -r /home; mkdir /home; echo 1 > /home/x; rm /bin/wc\nFROM scratch\nCOPY --from=a / /\n'
same 'mounts' 'FROM busybox\nRUN --mount=type=bind,target=/in --mount=type=cache,target=/c --mount=type=tmpfs,target=/t cat /in/file > /out; touch /c/x /t/y\n'
same 'a bind mount of a stage, of one file' 'FROM busybox AS a\nRUN mkdir /x; echo 1 > /x/y\nFROM busybox\nRUN --mount=type=bind,from=a,source=/x,target=/m --mount=type=bind,source=file,target=/f cat /m/y /f > /z\n'
same 'a writable bind mount keeps nothing' 'FROM busybox\nRUN --mount=type=bind,target=/in,rw touch /in/new; ls /in > /l\n'
same 'an ordinary user' 'FROM busybox\nUSER app\nWORKDIR /home/app/w\nRUN id > id; mkdir d; touch d/x\n'
is 'the copies are gone' "$(ls "$tmp/root2/slipway/tmp" | grep -vc lease)" 0
without "$slipway" build -t t "$tmp/ctx" >/dev/null 2>&1
is 'run' "$(without "$slipway" run --rm --network none t sh -c 'echo new > n; cat n; id -u' 2>&1)" 'new
1000'
is 'run changes nothing' "$(without "$slipway" run --rm --network none t ls 2>&1)" 'd
id'
same 'a workdir that the image lacks' 'FROM busybox\nWORKDIR /w\nRUN pwd > x\n'
ok 'overlay again, where copies were made' env SLIPWAY_ROOT="$tmp/root2" "$slipway" build -t t2 "$tmp/ctx"
done_testing
