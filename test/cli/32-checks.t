#!/bin/sh
# build --check, --call, warnings after a build.
. "$(dirname "$0")/lib.sh"
need python3
base_images
mkdir "$tmp/ctx"
check() { printf '%b' "$1" >"$tmp/ctx/Dockerfile"; shift; "$slipway" build --check "$@" "$tmp/ctx" 2>&1; }
rules() { printf '%b' "$1" >"$tmp/ctx/Dockerfile"; shift; "$slipway" build --call=check,format=json "$@" "$tmp/ctx" 2>/dev/null |
    python3 -c 'import json,sys; print(" ".join(w["ruleName"] for w in json.load(sys.stdin)["warnings"]))'; }
is 'a clean file' "$(check 'FROM busybox\nRUN true\n'; echo $?)" 'Check complete, no warnings found.
0'
is 'a warning: the whole text' "$(check 'FROM busybox\nRUN true\nCMD sleep 1\n'; echo $?)" 'Check complete, 1 warning has been found!

WARNING: JSONArgsRecommended - https://docs.docker.com/go/dockerfile/rule/json-args-recommended/
JSON arguments recommended for ENTRYPOINT/CMD to prevent unintended behavior related to OS signals
JSON arguments recommended for CMD to prevent unintended behavior related to OS signals
Dockerfile:3
--------------------
   1 |     FROM busybox
   2 |     RUN true
   3 | >>> CMD sleep 1
--------------------
1'
is 'nothing was built' "$("$slipway" images -q | wc -l)" 1
is 'StageNameCasing, FromAsCasing' "$(rules 'FROM busybox as Base\n')" 'StageNameCasing FromAsCasing'
is 'MaintainerDeprecated' "$(rules 'FROM scratch\nMAINTAINER x\n')" 'MaintainerDeprecated'
is 'UndefinedVar' "$(rules 'FROM busybox\nCOPY $foo /\n')" 'UndefinedVar'
is 'the environment of the base is known' "$(rules 'FROM busybox\nENV X=$PATH\n')" ''
is 'LegacyKeyValueFormat' "$(rules 'FROM scratch\nENV a b\n')" 'LegacyKeyValueFormat'
is 'SecretsUsedInArgOrEnv' "$(rules 'FROM scratch\nARG MY_TOKEN\n')" 'SecretsUsedInArgOrEnv'
is 'WorkdirRelativePath' "$(rules 'FROM scratch\nWORKDIR a\n')" 'WorkdirRelativePath'
is 'CopyIgnoredFile' "$(echo secret >"$tmp/ctx/.dockerignore"; rules 'FROM scratch\nCOPY secret /\n'; rm "$tmp/ctx/.dockerignore")" 'CopyIgnoredFile'
is 'skip' "$(rules '# check=skip=JSONArgsRecommended\nFROM scratch\nCMD x\n')" ''
is 'a build argument replaces the directive' "$(rules '# check=skip=JSONArgsRecommended\nFROM scratch\nCMD x\n' --build-arg BUILDKIT_DOCKERFILE_CHECK=skip=none)" 'JSONArgsRecommended'
printf 'module x\ngo 1.23.4\n' >"$tmp/ctx/go.mod"
is 'a base that is older than go.mod' "$(rules 'FROM golang:1.21-alpine AS b\nRUN go build .\nFROM scratch\nCOPY --from=b /x /\n')" 'GoBaseOlderThanModule'
is 'a newer one' "$(rules 'FROM golang:1.24 AS b\nRUN go build .\nFROM scratch\nCOPY --from=b /x /\n')" ''
is 'a toolchain in the final image' "$(rules 'FROM golang:1.24\nRUN go build .\n')" 'GoToolchainInFinalImage'
is 'go build of a foreign platform' "$(rules 'FROM --platform=linux/s390x golang:1.24 AS b\nRUN go build .\nFROM scratch\nCOPY --from=b /x /\n' | tr ' ' '\n' | grep -c GoBuildEmulated)" 1
rm "$tmp/ctx/go.mod"

printf 'FROM busybox\nCMD true\n' >"$tmp/ctx/Dockerfile"
like 'a build shows them at its end' "$("$slipway" build "$tmp/ctx" 2>&1 | tail -n 2 | tr '\n' '|')" \
    '1 warning found \(use --check to expand\):\| - JSONArgsRecommended: .* \(line 2\)'
is 'not with -q' "$("$slipway" build -q "$tmp/ctx" 2>&1 | grep -c arning)" 0
printf '# check=error=true\nFROM busybox\nCMD true\n' >"$tmp/ctx/Dockerfile"
fails 'error=true' 1 'lint violation found for rules: JSONArgsRecommended' "$slipway" build "$tmp/ctx"

cat >"$tmp/ctx/Dockerfile" <<'D'
# BASE is the image to start from
ARG BASE=busybox
# base has the tools
FROM $BASE AS base
# VERSION of the program
ARG VERSION=1.0
RUN --mount=type=secret,id=token,required true
# app is what is shipped
FROM base AS app
RUN --mount=type=ssh true
D
is '--call=targets' "$("$slipway" build --call=targets "$tmp/ctx" | sed 's/  */ /g')" 'TARGET DESCRIPTION
base has the tools
app (default) is what is shipped'
out=$("$slipway" build --call=outline "$tmp/ctx" | sed 's/  */ /g')
like '--call=outline' "$(printf '%s' "$out" | tr '\n' '|')" '^TARGET: app.DESCRIPTION: is what is shipped..BUILD ARG VALUE DESCRIPTION.BASE busybox is the image to start from.VERSION 1.0 of the program..SECRET REQUIRED.token true..SSH REQUIRED.default'
like 'with --build-arg' "$("$slipway" build --call=outline --build-arg VERSION=2 "$tmp/ctx" | tr -s ' ')" 'VERSION 2'
is 'outline as JSON' "$("$slipway" build --call=outline,format=json "$tmp/ctx" | python3 -c 'import json,sys; d=json.load(sys.stdin); print(d["name"], d["args"][1]["value"], d["secrets"][0]["required"])')" 'app 1.0 True'
is 'targets as JSON' "$("$slipway" build --call=targets,format=json "$tmp/ctx" | python3 -c 'import json,sys; d=json.load(sys.stdin); print([t["name"] for t in d["targets"]], d["targets"][1]["default"])')" "['base', 'app'] True"
fails 'another call' 2 'want build, check, outline or targets' "$slipway" build --call=nope "$tmp/ctx"
printf 'FROM scratch\nNONE x\n' >"$tmp/ctx/Dockerfile"
is 'as JSON it is a buildError' "$("$slipway" build --call=check,format=json "$tmp/ctx" 2>/dev/null | python3 -c 'import json,sys; d=json.load(sys.stdin); e=d["buildError"]; print(d["warnings"], e["message"], e["location"]["ranges"][0]["start"]["line"])')" '[] unknown instruction: NONE 2'
fails 'a syntax error under --check' 1 'Dockerfile:1' check 'FROMM x\n'
done_testing
