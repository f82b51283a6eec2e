#!/bin/sh
# Corners of the language where BuildKit's reading counts, a rule each.
. "$(dirname "$0")/lib.sh"
need python3
base_images
ctx=$tmp/ctx
mkdir -p "$ctx/d/e" "$ctx/g"
echo f >"$ctx/f"
echo h >"$ctx/h"
echo 1 >"$ctx/d/e/1"
echo 2 >"$ctx/g/2"
python3 -c 'import socket, sys; socket.socket(socket.AF_UNIX).bind(sys.argv[1])' "$ctx/d/socket"
cat >"$tmp/ls.py" <<'P'
import sys, tarfile
for m in sorted(tarfile.open(sys.argv[1]).getmembers(), key=lambda m: m.name):
    print(m.name, m.type.decode(), oct(m.mode)[2:], "%d:%d" % (m.uid, m.gid))
P
# build DOCKERFILE OPTIONS: the entries of the result
build() {
    printf '%b' "$1" >"$tmp/Dockerfile"
    shift
    "$slipway" build -o type=tar,dest="$tmp/out.tar" -f "$tmp/Dockerfile" "$@" "$ctx" >"$tmp/log" 2>&1 ||
        { cat "$tmp/log"; return 1; }
    python3 "$tmp/ls.py" "$tmp/out.tar"
}
# prints DOCKERFILE OPTIONS: what is in its /o
prints() { build "$@" >/dev/null; tar -xOf "$tmp/out.tar" o; }
# image DOCKERFILE: builds result in the store
image() { printf '%b' "$1" >"$tmp/Dockerfile"; "$slipway" build -q -t result -f "$tmp/Dockerfile" "$ctx" >/dev/null; }
config() { "$slipway" inspect result --format "{{json .Config.$1}}"; }
steps() { "$slipway" history --no-trunc --format '{{.CreatedBy}}' result | sed '$d' | tac; }

# ARG and ENV
is 'an ARG after an ENV of its name hides it' "$(prints 'FROM busybox\nENV A=env\nARG A=arg\nRUN echo $A >/o\n')" arg
is 'and is what a later ENV sees' "$(image 'FROM scratch\nENV A=env\nARG A=arg\nENV B=$A\n'; config Env | grep -o '"[AB]=[a-z]*"' | tr '\n' ' ')" '"A=env" "B=arg" '
is 'an ENV after it hides it again' "$(prints 'FROM busybox\nARG A=arg\nENV A=env\nRUN echo $A >/o\n')" env
is 'FROM a stage begins with its ENV' "$(prints 'FROM busybox AS a\nENV A=env\nARG A=arg\nARG B=arg\nFROM a\nRUN echo $A $B >/o\n')" 'env arg'
is 'a proxy in one case is there in both' "$(prints 'FROM busybox\nRUN echo $HTTP_PROXY $http_proxy $NO_PROXY >/o\n' --build-arg http_proxy=p --build-arg NO_PROXY=n)" 'p p n'
is 'TARGETSTAGE: the last stage' "$(prints 'FROM busybox AS Final\nARG TARGETSTAGE\nRUN echo $TARGETSTAGE >/o\n')" final
is 'TARGETSTAGE: --target' "$(prints 'FROM busybox AS a\nARG TARGETSTAGE\nRUN echo $TARGETSTAGE >/o\nFROM scratch\n' --target a)" a
is 'TARGETSTAGE: no name' "$(prints 'FROM busybox\nARG TARGETSTAGE\nRUN echo $TARGETSTAGE >/o\n')" default

# COPY: sources and destinations
is 'several sources, a destination that is there' "$(build 'FROM busybox\nRUN mkdir /x\nCOPY f h /x\n' | grep ^x/)" 'x/f 0 644 0:0
x/h 0 644 0:0'
is 'several directories need no slash' "$(build 'FROM scratch\nCOPY d/e g /x\n')" 'x 5 755 0:0
x/1 0 644 0:0
x/2 0 644 0:0'
is 'a directory makes the destination one for the files that follow' "$(build 'FROM scratch\nCOPY g f /x\n')" 'x 5 755 0:0
x/2 0 644 0:0
x/f 0 644 0:0'
is 'files over one another: the last one' "$(build 'FROM scratch\nCOPY f h /o\n'; tar -xOf "$tmp/out.tar" o)" 'o 0 644 0:0
h'
like 'with a warning' "$(cat "$tmp/log")" 'Dockerfile:2: 2 files were copied to /o one over the other'
is '--link to an empty destination: the working directory' "$(build 'FROM busybox\nENV E=\nWORKDIR /w\nCOPY --link f $E\n' | grep ^w)" 'w 5 755 0:0
w/f 0 644 0:0'
is 'a socket of the context is an empty file' "$(build 'FROM scratch\nCOPY d /\n' | grep socket | cut -d' ' -f1,2)" 'socket 0'
is '--exclude is for what is found, not for what is named' "$(build 'FROM scratch\nCOPY --exclude=f --exclude=2 f g /x/\n')" 'x 5 755 0:0
x/f 0 644 0:0'
is '--from=scratch' "$(build 'FROM scratch\nCOPY --from=scratch / /x\n')" 'x 5 755 0:0'
fails 'COPY of a URL' 1 'Dockerfile:2: COPY: .*is for ADD' build 'FROM scratch\nCOPY https://example.org/x /\n'

# owners and modes of what is new
is 'a number of --chmod is for new parents, too' "$(build 'FROM scratch\nCOPY --chmod=1750 f /a/b/f\n')" 'a 5 750 0:0
a/b 5 750 0:0
a/b/f 0 1750 0:0'
is 'clauses are not' "$(build 'FROM scratch\nCOPY --chmod=go= f /a/f\n')" 'a 5 755 0:0
a/f 0 600 0:0'
is 'an empty --chmod is none' "$(build 'FROM scratch\nARG M\nCOPY --chmod=$M f /\n')" 'f 0 644 0:0'
is 'a numeric owner is the group, too, whatever passwd says' "$(build 'FROM busybox\nRUN echo u:x:7:8::/:/bin/sh >>/etc/passwd\nCOPY --chown=7 f /7\nCOPY --chown=7: f /8\nCOPY --chown=u f /9\n' | grep '^[789]')" '7 0 644 7:7
8 0 644 7:7
9 0 644 7:8'
is 'names that nobody knows count as root' "$(build 'FROM busybox\nCOPY --chown=nobodyknows f /1\nCOPY --chown=5:nobodyknows f /2\nUSER nobodyknows\nWORKDIR /3\n' | grep '^[123]')" '1 0 644 0:0
2 0 644 5:5
3 5 755 0:0'
is 'with a warning each' "$(grep -c 'does not know "nobodyknows"' "$tmp/log")" 3
fails 'in an empty image they are an error' 1 'Dockerfile:2: COPY: --chown=u' build 'FROM scratch\nCOPY --chown=u f /\n'

# --from
fails 'a later stage' 1 'Dockerfile:2: COPY: the stage of --from=b begins in line 3' build 'FROM busybox AS a\nCOPY --from=b /f /\nFROM busybox AS b\nFROM a\n'
fails 'the same for a mount' 1 'Dockerfile:2: RUN: the stage of --from=b' build 'FROM busybox AS a\nRUN --mount=from=b,target=/x true\nFROM busybox AS b\nFROM a\n'
fails 'the stage itself' 1 'Dockerfile:2: COPY: --from=a is the stage itself' build 'FROM busybox AS a\nCOPY --from=a /f /\n'
fails 'a number too many' 1 'Dockerfile:2: COPY: invalid stage index 3' build 'FROM busybox\nCOPY --from=3 /f /\n'
fails 'a variable' 1 'Dockerfile:2: .*not supported for --from' build 'FROM busybox\nCOPY --from=$X /f /\n'
is 'a stage that only a trigger of the base asks for' "$(printf 'FROM busybox\nONBUILD COPY --from=extra /o /o\nONBUILD RUN --mount=from=more,target=/m cat /m/p >>/o\n' >"$tmp/Dockerfile"
    "$slipway" build -q -t trigger -f "$tmp/Dockerfile" "$ctx" >/dev/null
    prints 'FROM busybox AS extra\nRUN echo e >/o\nFROM extra AS more\nRUN echo m >/p\nFROM trigger\n')" 'e
m'
fails 'a trigger that asks for a later one' 1 'ONBUILD trigger of trigger: .*--from=extra begins' build 'FROM trigger\nFROM scratch AS extra\nFROM scratch AS more\n' --target 0

# --parents and --exclude
mkdir -p "$ctx/t/a/x/k" "$ctx/t/b/x" && touch "$ctx/t/a/x/k/1.c" "$ctx/t/b/x/2.c" "$ctx/t/b/x/2.h" && chmod 750 "$ctx/t/a"
names() { build "$@" | sed 's/ .*//' | tr '\n' ' '; }
is '**' "$(names 'FROM scratch\nCOPY --parents t/**/*.c /o/\n')" 'o o/t o/t/a o/t/a/x o/t/a/x/k o/t/a/x/k/1.c o/t/b o/t/b/x o/t/b/x/2.c '
is 'a pivot behind a wildcard' "$(names 'FROM scratch\nCOPY --parents t/*/./x/**/?.c /o/\n')" 'o o/x o/x/2.c o/x/k o/x/k/1.c '
is 'directories between have the attributes of the source' "$(build 'FROM scratch\nCOPY --parents t/a/x/k/1.c /\n' | grep '^t/a ')" 't/a 5 750 0:0'
is 'nothing matches: the destination is there' "$(names 'FROM scratch\nCOPY --parents t/*.none /o/\n')" 'o '
fails 'without a wildcard it is an error' 1 'Dockerfile:2: COPY: "/t/none" not found' build 'FROM scratch\nCOPY --parents t/none /o/\n'
ln -s a "$ctx/t/link"
fails 'no link is followed to a source' 1 '"/t/link/x" not found' build 'FROM scratch\nCOPY --parents t/link/x /o/\n'
is '--exclude counts from where the source does' "$(names 'FROM scratch\nCOPY --parents --exclude=t/a t /o/\n')" 'o o/t o/t/b o/t/b/x o/t/b/x/2.c o/t/b/x/2.h o/t/link '
is 'from the pivot' "$(names 'FROM scratch\nCOPY --parents --exclude=a/x/k t/./a /o/\n')" 'o o/a o/a/x '
is 'an exception in what is excluded' "$(build 'FROM scratch\nCOPY --exclude=** --exclude=!**/1.c t /o/\n')" 'o 5 755 0:0
o/a 5 750 0:0
o/a/x 5 755 0:0
o/a/x/k 5 755 0:0
o/a/x/k/1.c 0 644 0:0'

# RUN
is 'USER with a group alone is root in it' "$(prints 'FROM busybox\nUSER :extra\nRUN id -u >/o; id -G >>/o\n' | tr '\n' ' ')" '0 2000 '
is 'the name of the machine' "$(prints 'FROM busybox\nRUN hostname >/o; echo $HOSTNAME >>/o; grep -c here /etc/hosts >>/o\n' --build-arg BUILDKIT_SANDBOX_HOSTNAME=here | tr '\n' ' ')" 'here here 1 '
is 'a script has the name of its heredoc' "$(prints 'FROM busybox\nRUN <<NAME\n#!/bin/sh\necho $0 >/o\nNAME\n')" /dev/pipes/NAME
is 'a part of a cache' "$(prints 'FROM busybox\nRUN --mount=type=cache,id=p,target=/c mkdir -p /c/in && echo 1 >/c/in/f\nRUN --mount=type=cache,id=p,source=in,target=/d cat /d/f >/o\n')" 1
fails 'that a link leads out of' 1 'RUN: ' build 'FROM busybox\nRUN --mount=type=cache,id=q,target=/c ln -s /etc /c/in\nRUN --mount=type=cache,id=q,source=in,target=/d cat /d/passwd\n'
is 'a cache of another owner is another cache' "$(prints 'FROM busybox\nRUN --mount=type=cache,id=r,target=/c touch /c/f\nRUN --mount=type=cache,id=r,uid=5,mode=700,target=/c ls /c >/o; stat -c "%u %a" /c >>/o\n')" '5 700'
is 'a cache begins anew over another from=' "$(for i in 1 2; do prints "FROM busybox AS b\nRUN echo $i >/f\nFROM busybox\nRUN --mount=type=cache,id=s,from=b,target=/c cat /c/f >/o; echo old >/c/f\n"; done | tr '\n' ' ')" '1 2 '

agent() { rm -f "$tmp/agent"; python3 -c 'import os, socket, sys; socket.socket(socket.AF_UNIX).bind(sys.argv[1]); os.chmod(sys.argv[1], 0o600)' "$tmp/agent"; }
agent
is 'an agent for somebody else' "$(prints 'FROM busybox\nRUN --mount=type=ssh,uid=7,gid=8,mode=741 stat -c "%F %u %g %a" $SSH_AUTH_SOCK >/o\n' --ssh default="$tmp/agent")" 'socket 7 8 741'
is 'without that it is root alone who may ask it' "$(chmod 777 "$tmp/agent"; prints 'FROM busybox\nRUN --mount=type=ssh,target=/a stat -c "%u %g %a" /a >/o\n' --ssh default="$tmp/agent")" '0 0 600'

# the epoch
created() { "$slipway" inspect result --format '{{.Created}}'; }
is 'SOURCE_DATE_EPOCH of the Dockerfile' "$(image 'ARG SOURCE_DATE_EPOCH=86400\nFROM scratch\n'; created)" 1970-01-02T00:00:00Z
is 'a variable of the environment goes before it' "$(export SOURCE_DATE_EPOCH=172800; image 'ARG SOURCE_DATE_EPOCH=86400\nFROM scratch\n'; created)" 1970-01-03T00:00:00Z
is 'and is an argument, too' "$(export SOURCE_DATE_EPOCH=5; prints 'FROM busybox\nARG SOURCE_DATE_EPOCH\nRUN echo $SOURCE_DATE_EPOCH >/o\n')" 5
fails 'one that is no number' 1 'Dockerfile:1: SOURCE_DATE_EPOCH=soon' build 'ARG SOURCE_DATE_EPOCH=soon\nFROM scratch\n'

# what is wrong names its line, with status 1
fails 'another frontend' 1 'Dockerfile:1: the frontend "x/y"' build '# syntax=x/y\nFROM scratch\n'
fails 'an empty platform' 1 'Dockerfile:1: FROM: --platform=.X is empty' build 'FROM --platform=$X busybox\n'
fails 'a platform that is none' 1 'Dockerfile:1: FROM: ' build 'FROM --platform=a/b/c/d busybox\n'
fails 'a mount over the root' 1 'Dockerfile:2: RUN: ' build 'FROM busybox\nRUN --mount=target=/ true\n'
mkdir "$tmp/lower" && echo 'FROM scratch' >"$tmp/lower/dockerfile"
ok 'a file called dockerfile' "$slipway" build "$tmp/lower"

# the history
image 'FROM busybox\nARG V=1 W\nENV a=$V "b c"=d\nLABEL l="x y"\nCOPY --chown=$V f g /x/\nEXPOSE 90/UDP 80\nVOLUME ["/v","/w w"]\nSHELL ["/bin/sh","-c"]\nRUN true\nCMD echo "hi"\nHEALTHCHECK --interval=90s --timeout=1.5s CMD ["a","b"]\nONBUILD RUN x\nWORKDIR /w\nUSER app\nSTOPSIGNAL ${W:-9}\nCOPY <<"E" /e\nE\n'
is 'the history has the values' "$(steps)" 'ARG V=1 W
ENV a=1 b c=d
LABEL l=x y
COPY --chown=1 f g /x/
EXPOSE [80/tcp 90/udp]
VOLUME [/v /w w]
SHELL [/bin/sh -c]
RUN |2 V=1 W= /bin/sh -c true
CMD ["/bin/sh" "-c" "echo \"hi\""]
HEALTHCHECK {Test:[CMD a b] Interval:1m30s Timeout:1.5s StartPeriod:0s StartInterval:0s Retries:0}
WORKDIR /w
USER app
STOPSIGNAL 9
COPY <<E /e'
is 'a shell form without words' "$(image 'FROM scratch\nENTRYPOINT\n'; config Entrypoint | tr -d ' \n')" '["/bin/sh","-c",""]'
done_testing
