#!/bin/sh
# The command line itself: help, suggestions, version, manual, completions.
. "$(dirname "$0")/lib.sh"
like 'version says its number' "$("$slipway" version)" '^slipway [0-9]+\.[0-9]+\.[0-9]+ '
like 'version_as_json' "$("$slipway" version --format json)" '"version":"[0-9.]+"'
fails 'no command shows help and status 2' 2 'Usage: slipway' "$slipway"
ok 'help succeeds when it is asked for' "$slipway" --help
ok 'help of a command' "$slipway" build --help
fails 'unknown command suggests the nearest' 2 'did you mean "build"' "$slipway" biuld
fails 'unknown option suggests the nearest' 2 'did you mean --no-cache' "$slipway" build --no-cahce .
fails 'unknown short option is named' 2 'unknown option -Z' "$slipway" build -Z .
fails 'an option without its value says so' 2 'needs a value' "$slipway" build . --tag
fails 'a flag takes no value' 2 'on or off' "$slipway" build --no-cache=maybe .
fails 'a choice is checked' 2 'want one of' "$slipway" build --progress=loud .
fails 'too many arguments' 2 'unexpected argument' "$slipway" build a b
fails 'too few arguments' 2 'too few' "$slipway" tag x
fails 'an unknown log level is named' 2 'log level "loud"' "$slipway" --log-level loud images
fails 'output to a full device fails' 1 'standard output' sh -c "'$slipway' --help >/dev/full"
for shell in bash zsh fish; do ok "completion for $shell" "$slipway" completion $shell; done
fails 'completion for an unknown shell' 2 'use bash, zsh or fish' "$slipway" completion tcsh
if have bash; then
    "$slipway" completion bash >"$tmp/c.bash"
    is 'bash completes commands' "$(bash -c ". $tmp/c.bash; COMP_WORDS=(slipway hist); COMP_CWORD=1; _slipway; echo \${COMPREPLY[*]}")" history
    like 'bash completes options' "$(bash -c ". $tmp/c.bash; COMP_WORDS=(slipway build --no-); COMP_CWORD=2; _slipway; echo \${COMPREPLY[*]}")" 'no-cache'
fi
ok 'man pages are written' "$slipway" manual "$tmp/man"
if have man; then
    ok 'man reads a page' sh -c "man -l --warnings '$tmp/man/slipway-build.1' 2>'$tmp/warnings' | grep -q 'Build an image'"
    is 'without warnings' "$(cat "$tmp/warnings")" ''
fi
"$slipway" manual --markdown "$tmp/cmd"
ok 'docs/cmd is what the table of commands says (make docs)' diff -r "$tmp/cmd" docs/cmd
ln -s "$slipway" "$tmp/docker"
like 'called docker, docker words work' "$("$tmp/docker" image ls)" '^REPOSITORY'
ln -s "$slipway" "$tmp/buildah"
fails 'called buildah, bud is build' 1 'no Dockerfile' "$tmp/buildah" bud "$tmp/man"
mkdir -p "$tmp/fresh/go"
ok 'toolchains may come before images into one root' "$slipway" --root "$tmp/fresh" images
mkdir -p "$tmp/home-of-somebody/documents"
fails 'a directory of other files is no store' 1 'holds other files' "$slipway" --root "$tmp/home-of-somebody" images
done_testing
