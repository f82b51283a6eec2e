#!/bin/sh
# Which toolchain is chosen, and what shells are told.
. "$(dirname "$0")/lib.sh"
. "$top/test/cli/golib.sh"
go="$slipway go"
q='--progress=quiet'
ok "versions are installed" $go install $q go1.20 1.20.14 1.21.6 1.21.13
is "list shows the newest first" "$($go list -q | tr '\n' ' ')" "go1.21.13 go1.21.6 go1.20.14 go1.20 "
like "listall asks the proxy" "$($go listall -q | tr '\n' ' ')" "^go1.23.0 go1.23rc1 go1.22.2 go1.21.13 .*go1.13.15 $"
is "a constraint narrows the list" "$($go list -r -q '>=1.21 <1.22' | tr '\n' ' ')" "go1.21.13 go1.21.6 go1.21.0 "
work=$tmp/work/a/b
mkdir -p "$work"
cd "$work" || exit 2
which() { $go which --version "$@" 2>&1; }
like "nothing names a version" "$(which)" "nothing names a Go version and there is no default"
ok "a default" $go use 1.21.6
is "the default is chosen" "$(which)" go1.21.6
echo 1.20 >"$tmp/work/.go-version"
is ".go-version above; 1.20 is the line, not 1.2" "$(which)" go1.20.14
echo go1.20 >"$tmp/work/.go-version"
is "go1.20 is the release of that name" "$(which)" go1.20
printf 'module x\n\ngo 1.21\n' >"$tmp/work/a/go.mod"
is "go.mod raises what .go-version names" "$(which)" go1.21.13
printf 'module x\n\ngo 1.19\n' >"$tmp/work/a/go.mod"
is "go.mod never lowers" "$(which)" go1.20
printf 'module x\n\ngo 1.21\n\ntoolchain go1.21.13\n' >"$tmp/work/a/go.mod"
is "the toolchain line counts" "$(which)" go1.21.13
printf 'go 1.21.0\n' >"$tmp/work/a/go.work"
is "go.work replaces go.mod" "$(which)" go1.21.13
is "GOWORK=off brings go.mod back" "$(GOWORK=off which)" go1.21.13
rm "$tmp/work/a/go.work" "$tmp/work/a/go.mod" "$tmp/work/.go-version"
printf 'nodejs 20\ngolang 1.20.14 1.19\n' >.tool-versions
is ".tool-versions" "$(which)" go1.20.14
rm .tool-versions
printf '[env]\ngo = "x"\n[tools]\ngo = "1.20.14"\n' >mise.toml
is "mise.toml" "$(which)" go1.20.14
rm mise.toml
printf 'name: x\ngo: 1.20\n' >slipway.yaml
is "slipway.yaml: 1.20 stays text" "$(which)" go1.20.14
is "GOTOOLCHAIN names one" "$(GOTOOLCHAIN=go1.21.6 which)" go1.21.6
is "GOTOOLCHAIN=local names none" "$(GOTOOLCHAIN=local which)" go1.20.14
is "GO_VERSION before files" "$(GO_VERSION=1.21.x which)" go1.21.13
is "SLIPWAY_GO_VERSION before GO_VERSION" "$(SLIPWAY_GO_VERSION=go1.20 GO_VERSION=1.21 which)" go1.20
is "the command line before all" "$(SLIPWAY_GO_VERSION=go1.20 which 1.21.6)" go1.21.6
rm slipway.yaml
printf 'module x\n\ngo 1.21.8\n' >go.mod
is "NAME+auto is raised by go.mod" "$(GOTOOLCHAIN=go1.20+auto which)" go1.21.13
is "NAME alone is not" "$(GOTOOLCHAIN=go1.20 which)" go1.20
like "--explain names the line that decided" "$($go which --explain)" "go.mod line 3 \(go 1.21.8\).*decides"
fails "junk is refused with its place" 2 'GO_VERSION: "../x" is not a Go version' env GO_VERSION=../x $go which
printf 'module x\n\ngo one\n' >go.mod
fails "a malformed go.mod is refused" 1 'go.mod: line 3: invalid go version' $go which
printf 'module x\n\ngo 1.99\n' >go.mod
fails "a version that is missing says how to get it" 1 'slipway go install 1.99' $go which
ok "--from-mod refuses nothing it has" sh -c "printf 'module x\n\ngo 1.21.6\n' >go.mod && $go install $q --from-mod"

# exec and env
is "exec runs the chosen go" "$($go exec go1.20 -- go version)" "go version go1.20 linux/$(uname -m | sed 's/x86_64/amd64/;s/aarch64/arm64/')"
is "exec without a version asks the resolver" "$($go exec -- go env GOROOT)" "$SLIPWAY_GO_ROOT/versions/go1.21.6"
is "exec sets GOTOOLCHAIN, clears GOROOT" "$(GOROOT=/x $go exec 1.21.6 -- sh -c 'echo $GOTOOLCHAIN:${GOROOT-unset}')" local:unset
is "exec inside exec keeps one entry in PATH" "$($go exec 1.21.6 -- $go exec go1.20 -- sh -c 'echo $PATH' | tr : '\n' | grep -c "$SLIPWAY_GO_ROOT")" 1
$go exec 1.21.6 -- sh -c 'exit 7'
is "exec has the status of its program" $? 7
$go exec 1.21.6 -- sh -c 'kill -9 $$'
is "exec of a killed program" $? 137
fails "no such program" 127 'no program' $go exec 1.21.6 -- no-such-program
fails "a program that is not executable" 126 'not executable' $go exec 1.21.6 -- /etc/passwd
shells='sh bash zsh fish'
for shell in $shells; do
    have "$shell" || { skip "env for $shell" "$shell is not installed"; continue; }
    kind=$shell
    [ $shell = sh ] && kind=posix
    evaluate="eval \"\$($slipway go env --shell $kind)\""
    [ $shell = fish ] && evaluate="$slipway go env --shell fish | source"
    is "env for $shell: one entry, twice evaluated" "$(cd / && GOROOT=/stale $shell -c "$evaluate
$evaluate
printenv PATH; printenv GOROOT; go version" | sed "s,$SLIPWAY_GO_ROOT,R,g" | tr ':' '\n' | grep -e '^R' -e stale -e 'go version' | cut -d' ' -f1-3 | tr '\n' ' ')" "R/bin go version go1.21.6 "
done
have bash && is "the hook follows directories" "$(cd / && bash -c "eval \"\$($slipway go hook --shell bash | sed 's,slipway,$slipway,2' | sed \"s,'slipway','$slipway',\")\"
cd $work; _slipway_go_hook; go version; echo go1.20 >$work/.go-version; rm go.mod; cd /; _slipway_go_hook; cd $work; _slipway_go_hook; go version" 2>&1 | cut -d' ' -f3 | tr '\n' ' ')" "go1.21.6 go1.20 "
rm -f .go-version
like "--gopath gives each version its own" "$(HOME=/h $go env --shell posix --gopath 1.21.6)" "export GOPATH='/h/go/1.21.6'"

# pin
printf 'module x // m\n\ngo 1.21\n' >go.mod
ok "pin writes a toolchain line" $go pin 1.21.13
is "and leaves the rest" "$(cat go.mod)" "module x // m

go 1.21

toolchain go1.21.13"
ok "pin before 1.21 writes .go-version" $go pin 1.20
is "resolved to a release" "$(cat .go-version)" 1.20.14

# policy
fails "a version past its end can be refused" 1 'past its end: Go 1.20 got fixes until 1.22.0 \(2024-02-06\)' $go use --policy refuse 1.20.14
cat >"$tmp/osv.json" <<'JSON'
{"id":"GO-2023-2102","modified":"2024-01-01T00:00:00Z","affected":[{"package":{"ecosystem":"Go","name":"stdlib"},"ranges":[{"type":"SEMVER","events":[{"introduced":"0"},{"fixed":"1.20.10"},{"introduced":"1.21.0-0"},{"fixed":"1.21.3"}]}]}]}
JSON
export SLIPWAY_GO_ADVISORIES="$tmp/osv.json"
ok "1.21.0 is there" $go install $q 1.21.0
fails "a vulnerable version is refused, and its fix named" 1 'GO-2023-2102.*fixed in go1.21.3' $go use --policy refuse 1.21.0
ok "a warning does not stop" $go use 1.21.0
unlike() { ! grep -q "$1" "$2"; }
$go use 1.21.6 2>"$tmp/warn"
ok "1.21.6 has the fix" unlike GO-2023 "$tmp/warn"
unset SLIPWAY_GO_ADVISORIES
# The scanner's database is asked where nothing else is named.
mkdir "$tmp/osv" && cp "$tmp/osv.json" "$tmp/osv/GO-2023-2102.json"
ok "a database of advisories" "$slipway" db update -q "go=$tmp/osv"
fails "what the scanner knows is refused as well" 1 'GO-2023-2102.*fixed in go1.21.3' $go use --policy refuse 1.21.0
$go use 1.21.6 2>"$tmp/warn"
ok "and what it does not know is not" unlike GO-2023 "$tmp/warn"
rm -r "$SLIPWAY_ROOT/slipway/scan"

# gvm
ln -s "$slipway" "$tmp/gvm"
gvm=$tmp/gvm
like "gvm list" "$($gvm list)" "=> go1.21.6"
like "gvm listall" "$($gvm listall)" "   go1.22.2"
ok "gvm install -B" $gvm install go1.22.2 -B
ok "gvm use of a missing version installs it" $gvm use go1.13.15 --default
like "and switches" "$($gvm list)" "=> go1.13.15"
ok "gvm uninstall" $gvm uninstall go1.22.2
ok "gvm delete" $gvm delete go1.13.15
is "they are gone" "$($gvm list | grep -c -e 1.22.2 -e 1.13.15)" 0
fails "what is not installed cannot be uninstalled" 1 'not installed' $go uninstall 1.22.2

# matrix
is "matrix runs all" "$($go matrix --format json --go 1.20.14,1.21.13 -- go version | grep -o '"ok":true' | wc -l)" 2
fails "matrix fails when one does" 1 'go1.20.14 +failed \(3\)' $go matrix --go 1.20.14,1.21.13 -- sh -c 'go version | grep -q 1.21 || exit 3'
done_testing
