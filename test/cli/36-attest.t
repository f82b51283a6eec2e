#!/bin/sh
# Attestations: an SBOM and provenance as BuildKit attaches them, read with jq and by other tools;
# annotations of every document.
. "$(dirname "$0")/lib.sh"
need jq
unset BUILDX_GIT_INFO
base_images
b() { "$slipway" build -q "$@"; }
path_of() { printf '%s/blobs/%s\n' "$1" "$2" | sed 's/sha256:/sha256\//'; }
# layout IMAGE: into $tmp/l; $index, $manifest (of the image), $att (the attestation's manifest)
layout() {
    rm -rf "$tmp/l"
    "$slipway" save --format oci-dir -o "$tmp/l" "$1" || return 1
    index=$(path_of "$tmp/l" "$(jq -r '.manifests[0].digest' "$tmp/l/index.json")")
    read_index
}
read_index() {
    jq -e .manifests "$index" >/dev/null || return 0 # a manifest alone
    manifest=$(path_of "$tmp/l" "$(jq -r '.manifests[0].digest' "$index")")
    att=$(path_of "$tmp/l" "$(jq -r '[.manifests[] | select(.platform.os == "unknown")][0].digest' "$index")")
}
# statement TYPE: the statement of that predicate type
statement() { path_of "$tmp/l" "$(jq -r --arg t "$1" '.layers[] | select(.annotations["in-toto.io/predicate-type"] == $t) | .digest' "$att")"; }
SPDX=https://spdx.dev/Document SLSA=https://slsa.dev/provenance/v1

mkdir -p "$tmp/c/etc" "$tmp/c/var/lib/dpkg" "$tmp/c/app"
printf 'ID=debian\nVERSION_ID="12"\nPRETTY_NAME="Debian GNU/Linux 12 (bookworm)"\n' >"$tmp/c/etc/os-release"
printf 'Package: zlib1g\nStatus: install ok installed\nArchitecture: amd64\nSource: zlib\nVersion: 1:1.2.13.dfsg-1\n\nPackage: tzdata\nStatus: install ok installed\nArchitecture: all\nVersion: 2024a-0+deb12u1\n' >"$tmp/c/var/lib/dpkg/status"
go=$(command -v go) && gofmt=$("$go" env GOROOT)/bin/gofmt && [ -x "$gofmt" ] && cp "$gofmt" "$tmp/c/app/" || gofmt=
cat >"$tmp/c/Dockerfile" <<'D'
FROM busybox AS build
ARG TOKEN=unset
RUN --mount=type=secret,id=key --mount=type=secret,id=other,required=false,env=OTHER \
    cat /run/secrets/key >/dev/null; echo built >/built
FROM busybox
COPY etc /etc
COPY var /var
COPY app /app
COPY --from=build /built /built
COPY <<T /text
from the Dockerfile
T
WORKDIR /work
LABEL a=b
D
echo file-secret-value >"$tmp/key"
export OTHER_ENV=env-secret-value
full() { b --secret "id=key,src=$tmp/key" --secret id=other,env=OTHER_ENV --build-arg TOKEN=argument-value --label l=label-value "$@" "$tmp/c"; }

# ---- by default ----
full -t plain >/dev/null
like 'nothing is attached by default' "$("$slipway" inspect --format '{{.MediaType}}' plain)" 'image.manifest'
layout plain
like 'the name stands for a manifest' "$(jq -r '.manifests[0].mediaType' "$tmp/l/index.json")" 'image.manifest'

# ---- the shape ----
full -t app:1 -t other:2 --sbom=true --provenance=mode=max --metadata-file "$tmp/meta" --iidfile "$tmp/iid" >"$tmp/id"
layout app:1
is 'an index of the image and its attestation' "$(jq -c '[.manifests[].platform.os]' "$index")" '["linux","unknown"]'
is 'which names what it is about' "$(jq -r '.manifests[1].annotations["vnd.docker.reference.digest"]' "$index")" \
    "$(jq -r '.manifests[0].digest' "$index")"
is 'and says what it is' "$(jq -c '.manifests[1] | [.annotations["vnd.docker.reference.type"], .platform]' "$index")" \
    '["attestation-manifest",{"architecture":"unknown","os":"unknown"}]'
is 'the image is the same as without' "$(jq -r '.manifests[0].digest' "$index")" "$("$slipway" inspect --format '{{.Digest}}' plain)"
is 'two statements' "$(jq -r '.layers[] | .mediaType + " " + .annotations["in-toto.io/predicate-type"]' "$att")" \
    "application/vnd.in-toto+json $SPDX
application/vnd.in-toto+json $SLSA"
is 'the configuration lists them' "$(jq -c '.rootfs.diff_ids' "$(path_of "$tmp/l" "$(jq -r .config.digest "$att")")")" \
    "$(jq -c '[.layers[].digest]' "$att")"
is 'a statement has the usual type' "$(jq -r ._type "$(statement $SLSA)")" https://in-toto.io/Statement/v0.1
is 'and is about the image by its names' "$(jq -c '[.subject[] | [.name, .digest.sha256]]' "$(statement $SPDX)")" \
    "$(jq -c '.manifests[0] as $m | $m.digest[7:] as $d | "?platform=linux%2F\($m.platform.architecture)" as $p |
        [["pkg:docker/app@1" + $p, $d], ["pkg:docker/other@2" + $p, $d]]' "$index")"
like 'it is listed with its age' "$("$slipway" images app)" '^app +1 .* years ago'
is 'the ID is the index' "$(cat "$tmp/id") $(cat "$tmp/iid")" "$(jq -r '.manifests[0].digest' "$tmp/l/index.json") $(cat "$tmp/id")"

# ---- the bill of materials ----
jq .predicate "$(statement $SPDX)" >"$tmp/spdx"
is 'SPDX 2.3' "$(jq -c '[.spdxVersion, .dataLicense, .SPDXID, .name, .creationInfo.created]' "$tmp/spdx")" \
    '["SPDX-2.3","CC0-1.0","SPDXRef-DOCUMENT","app:1","1970-01-01T00:00:00Z"]'
is 'of this image' "$(jq -r '.packages[0] | .primaryPackagePurpose + " " + .checksums[0].checksumValue' "$tmp/spdx")" \
    "CONTAINER $(jq -r '.manifests[0].digest[7:]' "$index")"
is 'packages of the distribution' "$(jq -c '[.packages[] | select(.name == "zlib1g" or .name == "tzdata") | .versionInfo] | sort' "$tmp/spdx")" \
    '["1:1.2.13.dfsg-1","2024a-0+deb12u1"]'
like 'by their URLs' "$(jq -r '.packages[] | select(.name == "zlib1g") | .externalRefs[0].referenceLocator' "$tmp/spdx")" '^pkg:deb/debian/zlib1g@1:1.2.13.dfsg-1'
is 'the distribution' "$(jq -c '[.packages[] | select(.primaryPackagePurpose == "OPERATING-SYSTEM") | .name, .versionInfo]' "$tmp/spdx")" '["debian","12"]'
if [ -n "$gofmt" ]; then
    like 'the Go runtime of a program' "$(jq -r '.packages[] | select(.sourceInfo == "found in app/gofmt") | .name + " " + .versionInfo' "$tmp/spdx")" '^stdlib '
else
    skip 'the Go runtime of a program' 'no go'
fi
is 'every element is one that exists' "$(jq -c '([.packages[].SPDXID] + ["SPDXRef-DOCUMENT"]) as $ids |
    [.relationships[] | .spdxElementId, .relatedSpdxElement] | unique - $ids' "$tmp/spdx")" '[]'
is 'and has one name' "$(jq '[.packages[].SPDXID] | length - (unique | length)' "$tmp/spdx")" 0
is 'slipway scan reads it' "$("$slipway" inspect --format '{{json .SBOM.SPDX.spdxVersion}}' app:1)" '"SPDX-2.3"'

# ---- provenance, max ----
jq .predicate "$(statement $SLSA)" >"$tmp/max"
is 'the build type' "$(jq -r .buildDefinition.buildType "$tmp/max")" \
    https://github.com/moby/buildkit/blob/master/docs/attestations/slsa-definitions.md
is 'the base by its digest' "$(jq -c '.buildDefinition.resolvedDependencies' "$tmp/max")" \
    "[{\"uri\":\"pkg:docker/busybox@latest?platform=linux%2F$(jq -r '.manifests[0].platform.architecture' "$index")\",\"digest\":{\"sha256\":\"$("$slipway" inspect --format '{{.Digest}}' busybox | sed s/sha256://)\"}}]"
is 'the request' "$(jq -c '.buildDefinition.externalParameters | [.configSource, .request.frontend, .request.args, .request.locals]' "$tmp/max")" \
    '[{"path":"Dockerfile"},"dockerfile.v0",{"build-arg:TOKEN":"argument-value","label:l":"label-value"},[{"name":"context"},{"name":"dockerfile"}]]'
is 'secrets by name' "$(jq -c '.buildDefinition.externalParameters.request.secrets' "$tmp/max")" '[{"id":"key","optional":true},{"id":"other","optional":true}]'
is 'their values are nowhere' "$(cat "$tmp"/l/blobs/sha256/* "$tmp/meta" | grep -c -e file-secret-value -e env-secret-value)" 0
is 'the builder' "$(jq -r .runDetails.builder.id "$tmp/max")" https://slipway.dev/builder
is 'no times' "$(jq -c '.runDetails.metadata | [.startedOn, .finishedOn, .invocationId]' "$tmp/max")" '[null,null,null]'
is 'complete but for local files' "$(jq -c .runDetails.metadata.buildkit_completeness "$tmp/max")" '{"request":true,"resolvedDependencies":false}'
is 'the Dockerfile' "$(jq -r '.runDetails.metadata.buildkit_metadata.source.infos[0].data' "$tmp/max" | base64 -d | sha256sum)" "$(sha256sum <"$tmp/c/Dockerfile")"
# every step, with its line and the layers that it ends with
is 'what RUN ran' "$(jq -c '[.buildDefinition.internalParameters.buildConfig.llbDefinition[] | .op.Op.exec | values | .meta | [.args[0:2], .env, .cwd]]' "$tmp/max")" \
    '[[["/bin/sh","-c"],["PATH=/bin","TOKEN=argument-value"],"/"]]'
is 'what was copied' "$(jq -c '[.buildDefinition.internalParameters.buildConfig.llbDefinition[] | .op.Op.file.actions[0].Action | values | (.copy // .mkdir // .mkfile) | .src // .path]' "$tmp/max")" \
    '["etc","var","app","/built","/text","/work"]'
is 'inputs are steps that come before' "$(jq '[.buildDefinition.internalParameters.buildConfig.llbDefinition | to_entries[] | .key as $k | .value.inputs // [] | .[] | ltrimstr("step") | split(":")[0] | tonumber < $k] | all' "$tmp/max")" true
is 'lines of steps' "$(jq -c '[.runDetails.metadata.buildkit_metadata.source.locations[].locations[0].ranges[0].start.line] | sort' "$tmp/max")" '[3,6,7,8,9,10,13]'
is 'layers of steps' "$(jq -r '.runDetails.metadata.buildkit_metadata.layers | [.[][0]] | max_by(length) | .[].digest' "$tmp/max")" "$(jq -r '.layers[].digest' "$manifest")"
is '--metadata-file has it' "$(jq -cS '.["buildx.build.provenance"]' "$tmp/meta")" "$(jq -cS . "$tmp/max")"
is '--metadata-file names the index' "$(jq -r '.["containerimage.digest"] + " " + .["containerimage.descriptor"].mediaType' "$tmp/meta")" \
    "$(cat "$tmp/id") application/vnd.oci.image.index.v1+json"

# ---- provenance, min ----
full -t min --provenance=true >/dev/null
layout min
jq .predicate "$(statement $SLSA)" >"$tmp/min"
is 'min is what true means' "$(jq -c '[.buildDefinition.externalParameters.request | has("args"), has("secrets")] + [.buildDefinition.internalParameters | keys[]]' "$tmp/min")" \
    '[false,false,"builderPlatform"]'
is 'no value of an argument or label' "$(grep -c -e argument-value -e label-value "$att" "$(statement $SLSA)" | sed 's/.*://' | sort -u)" 0
is 'which it says' "$(jq .runDetails.metadata.buildkit_completeness.request "$tmp/min")" false
is 'no steps, no Dockerfile' "$(jq -c '.runDetails.metadata.buildkit_metadata' "$tmp/min")" '{}'
is 'the base is there' "$(jq '.buildDefinition.resolvedDependencies | length' "$tmp/min")" 1
is 'one statement' "$(jq '.layers | length' "$att")" 1
b -t id --attest type=provenance,mode=min,builder-id=https://ci.example/1,reproducible=true "$tmp/c" >/dev/null
is 'builder-id, reproducible' "$("$slipway" inspect --format '{{json .Provenance.SLSA}}' id | jq -c '.runDetails | [.builder.id, .metadata.buildkit_reproducible]')" \
    '["https://ci.example/1",true]'
b -t none --attest type=sbom --sbom=false --provenance=true --attest type=provenance,disabled=true --provenance=false "$tmp/c" >/dev/null
like 'the last word counts' "$("$slipway" inspect --format '{{.MediaType}}' none)" 'image.manifest'
BUILDX_NO_DEFAULT_ATTESTATIONS=1 full -t keep --sbom=true >/dev/null
is 'BUILDX_NO_DEFAULT_ATTESTATIONS is about defaults' "$("$slipway" inspect keep | jq '.[0].Attestations | length')" 1
like 'another generator is not run' "$("$slipway" build --sbom=generator=docker/scanner "$tmp/c" 2>&1)" 'docker/scanner is not run'
fails 'a mode that is none' 2 'mode=min or mode=max' "$slipway" build --provenance=mode=most "$tmp/c"
fails 'a scanner of buildah' 2 'no scanner of that name' "$slipway" build --sbom=syft "$tmp/c"
fails 'an old version' 1 'only version=v1' "$slipway" build --provenance=version=v0.2 "$tmp/c"
fails 'an attestation of another type' 2 'type=sbom or type=provenance' "$slipway" build --attest type=vuln "$tmp/c"

# ---- the same bytes ----
id=$(full --sbom=true --provenance=mode=max -t app:1 -t other:2)
is 'from the cache the same' "$id" "$(cat "$tmp/id")"
is 'made anew the same' "$(full --no-cache --sbom=true --provenance=mode=max -t app:1 -t other:2)" "$id"
cp -r "$tmp/c" "$tmp/elsewhere"
"$slipway" save -o "$tmp/base.tar" busybox:latest
elsewhere() {
    "$slipway" load -q -i "$tmp/base.tar" >/dev/null
    b --secret "id=key,src=$tmp/key" --secret id=other,env=OTHER_ENV --build-arg TOKEN=argument-value --label l=label-value \
        --sbom=true --provenance=mode=max -t app:1 -t other:2 "$tmp/elsewhere"
}
is 'elsewhere, in another store, the same' "$(SLIPWAY_ROOT="$tmp/r2" elsewhere)" "$id"
ok 'slipway verify agrees' "$slipway" verify --sbom=true --provenance=mode=max --secret "id=key,src=$tmp/key" "$tmp/c"

# ---- files ----
full --sbom=true --provenance=mode=max -o "$tmp/tree" >/dev/null
is 'beside files' "$(jq -r .predicateType "$tmp/tree/sbom.spdx.json" "$tmp/tree/provenance.json")" "$SPDX
$SLSA"
is 'about each of them' "$(jq -r '.subject[] | .digest.sha256 + "  " + .name' "$tmp/tree/provenance.json" | sort)" \
    "$(cd "$tmp/tree" && find . -type f ! -name '*.json' -exec sha256sum {} + | sed 's/  \.\//  /' | sort)"
full --sbom=true -o type=tar,dest=-,attestation-prefix=att. >"$tmp/t.tar"
ok 'in a tar archive' sh -c 'tar -xOf "$1" att.sbom.spdx.json | jq -e ".predicate.packages | length > 2"' - "$tmp/t.tar"
printf 'FROM scratch\nCOPY Dockerfile /provenance.json\n' >"$tmp/c/Own"
fails 'a name that is taken' 2 'attestation-prefix' "$slipway" build --provenance=true -f "$tmp/c/Own" -o "$tmp/own" "$tmp/c"
printf 'FROM scratch\nCMD ["x"]\n' >"$tmp/c/Empty"
ok 'an image of nothing' "$slipway" build --sbom=true --provenance=true -t empty -f "$tmp/c/Empty" "$tmp/c"

# ---- several platforms ----
printf 'FROM scratch\nARG TARGETARCH\nCOPY Dockerfile /\nCOPY <<T /arch\n$TARGETARCH\nT\n' >"$tmp/c/Multi"
b -t multi --platform linux/amd64,linux/arm64 --sbom=true --provenance=true --metadata-file "$tmp/meta" -f "$tmp/c/Multi" "$tmp/c" >/dev/null
layout multi
is 'images first' "$(jq -c '[.manifests[].platform | .os + "/" + .architecture]' "$index")" '["linux/amd64","linux/arm64","unknown/unknown","unknown/unknown"]'
is 'an attestation for each' "$(jq -c '[.manifests[2:][].annotations["vnd.docker.reference.digest"]]' "$index")" "$(jq -c '[.manifests[0:2][].digest]' "$index")"
is 'provenance of each in the metadata' "$(jq -c '[keys[] | select(startswith("buildx"))]' "$tmp/meta")" \
    '["buildx.build.provenance/linux/amd64","buildx.build.provenance/linux/arm64"]'
b --platform linux/amd64,linux/arm64 --provenance=true -f "$tmp/c/Multi" -o "$tmp/split" "$tmp/c" >/dev/null
is 'files in directories of their own' "$(cd "$tmp/split" && ls -d */provenance.json | tr '\n' ' ')" 'linux_amd64/provenance.json linux_arm64/provenance.json '

# ---- other forms ----
full -t artifact --provenance=true -o type=image,oci-artifact=true >/dev/null
layout artifact
is 'oci-artifact: with a subject' "$(jq -c '[.artifactType, .config.mediaType, .config.data, .subject.digest]' "$att")" \
    "$(jq -c '["application/vnd.docker.attestation.manifest.v1+json","application/vnd.oci.empty.v1+json","e30=",.manifests[0].digest]' "$index")"
like 'Docker types give way' "$("$slipway" build --format docker --provenance=true -t dk "$tmp/c" 2>&1)" 'is written as OCI'
printf 'FROM app:1\nRUN cat /built >/again\n' >"$tmp/c/From"
ok 'an attested image is a base' "$slipway" build -t from -f "$tmp/c/From" "$tmp/c"
is 'and runs' "$("$slipway" run --rm app:1 cat /built)" built
ok 'docker'"'"'s archive holds the image' sh -c '"$1" save app:1 | tar -xO manifest.json | jq -e ".[0].RepoTags == [\"app:1\"]"' - "$slipway"

# ---- materials from elsewhere ----
if have git; then
    mkdir "$tmp/repo" && cd "$tmp/repo" && git init -q . && git config user.email a@b && git config user.name a &&
        printf 'FROM scratch\nCOPY f /\n' >Dockerfile && echo 1 >f && git add . && git commit -qm 1 &&
        git remote add origin https://user:hunter2@example.org/app.git && cd "$top"
    commit=$(git -C "$tmp/repo" rev-parse HEAD)
    b -t git --provenance=true "$tmp/repo" >/dev/null
    is 'the repository of the context' "$("$slipway" inspect --format '{{json .Provenance.SLSA}}' git | jq -c .runDetails.metadata.buildkit_metadata.vcs)" \
        "{\"revision\":\"$commit\",\"source\":\"https://xxxxx:xxxxx@example.org/app.git\"}"
    echo 2 >"$tmp/repo/f"
    b -t git --provenance=true "$tmp/repo" >/dev/null
    like 'that was changed since' "$("$slipway" inspect --format '{{json .Provenance.SLSA}}' git)" "$commit-dirty"
else
    skip 'the repository of the context' 'no git'
    skip 'that was changed since' 'no git'
fi

# ---- annotations ----
b -t ann --sbom=true -f "$tmp/c/Multi" --annotation plain=1 --annotation manifest-descriptor:d=2 --annotation index:i=3 \
    --annotation index-descriptor:id=4 --annotation index,manifest:both=5 -o "type=oci,dest=$tmp/ann.tar,annotation.o=6,annotation-index.oi=7" "$tmp/c" >/dev/null
rm -rf "$tmp/l" && mkdir "$tmp/l" && tar -C "$tmp/l" -xf "$tmp/ann.tar"
index=$(path_of "$tmp/l" "$(jq -r '.manifests[0].digest' "$tmp/l/index.json")")
read_index
is 'of the manifest' "$(jq -cS .annotations "$manifest")" '{"both":"5","o":"6","plain":"1"}'
is 'of its descriptor' "$(jq -cS '.manifests[0].annotations' "$index")" '{"d":"2"}'
is 'of the index' "$(jq -cS .annotations "$index")" '{"both":"5","i":"3","oi":"7"}'
is 'of the index'"'"'s descriptor' "$(jq -r '.manifests[0].annotations.id' "$tmp/l/index.json")" 4
b -t ann -f "$tmp/c/Multi" --platform linux/amd64,linux/arm64 --annotation 'manifest[linux/arm64],manifest-descriptor[linux/arm64]:only=arm' "$tmp/c" >/dev/null
layout ann
is 'of one platform' "$(for d in $(jq -r '.manifests[].digest' "$index"); do jq -c .annotations "$(path_of "$tmp/l" "$d")"; done; jq -c '[.manifests[].annotations.only]' "$index")" \
    'null
{"only":"arm"}
[null,"arm"]'
b -t one -f "$tmp/c/Multi" --annotation manifest-descriptor:d=here "$tmp/c" >/dev/null
layout one
is 'of the only descriptor' "$(jq -r '.manifests[0].annotations.d' "$tmp/l/index.json")" here
b -t one -f "$tmp/c/Multi" --annotation manifest-descriptor:d=there "$tmp/c" >/dev/null
layout one
is 'which may change alone' "$(jq -r '.manifests[0].annotations.d' "$tmp/l/index.json")" there
fails 'an index that is not made' 2 'one platform has none' "$slipway" build --annotation index:a=b -f "$tmp/c/Multi" "$tmp/c"
fails 'a place that is none' 2 'no place for an annotation' "$slipway" build --annotation header:a=b "$tmp/c"
fails 'an annotation without a value' 2 'want NAME=VALUE' "$slipway" build --annotation a "$tmp/c"

# ---- registries and other tools ----
if have curl; then
    "$slipway" registry serve -a 127.0.0.1:0 --port-file "$tmp/port" --data "$tmp/data" --gc-interval 0 2>>"$tmp/log" &
    server=$!
    stop() { kill "$server" && wait "$server"; } 2>/dev/null
    at_exit stop
    n=0
    until [ -s "$tmp/port" ] || [ $n -ge 100 ]; do sleep 0.1; n=$((n + 1)); done
    at=127.0.0.1:$(cat "$tmp/port")
    export DOCKER_CONFIG="$tmp/docker" HOME="$tmp/home"
    mkdir -p "$HOME"
    "$slipway" login -u admin --password-stdin "$at" <"$tmp/data/initial-admin-password" >/dev/null 2>&1
    full -t "$at/app:1" --sbom=true --provenance=mode=max --push >"$tmp/id"
    auth=admin:$(cat "$tmp/data/initial-admin-password")
    curl -su "$auth" -H 'Accept: application/vnd.oci.image.index.v1+json' "http://$at/v2/app/manifests/1" >"$tmp/pushed"
    is '--push sends the index' "sha256:$(sha256sum <"$tmp/pushed" | cut -c 1-64)" "$(cat "$tmp/id")"
    digest=$(jq -r '.manifests[1].digest' "$tmp/pushed")
    is 'and the attestation' "$(curl -su "$auth" -o /dev/null -w '%{http_code}' -H 'Accept: application/vnd.oci.image.manifest.v1+json' "http://$at/v2/app/manifests/$digest")" 200
    full -t "$at/app:2" --provenance=true -o type=registry,oci-artifact=true >/dev/null
    is 'a subject makes a referrer' "$(curl -su "$auth" "http://$at/v2/app/referrers/$(curl -su "$auth" -H 'Accept: application/vnd.oci.image.index.v1+json' "http://$at/v2/app/manifests/2" | jq -r '.manifests[0].digest')" | jq -r '.manifests[].artifactType')" \
        application/vnd.docker.attestation.manifest.v1+json
    "$slipway" tag busybox "$at/base:1" && "$slipway" push "$at/base:1" >/dev/null 2>&1
    printf 'FROM %s/base:1\nRUN echo 1 >/1\nRUN rm /bin/md5sum\n' "$at" >"$tmp/c/Lazy"
    set -- --squash --sbom=true --provenance=mode=max -o type=image,compression=zstd,force-compression=true -f "$tmp/c/Lazy" "$tmp/c"
    is 'a base of a registry, fetched in pieces' "$(SLIPWAY_ROOT="$tmp/r3" "$slipway" build -q --cache-from "type=registry,ref=$at/none" "$@" 2>"$tmp/err" || cat "$tmp/err")" "$(b "$@")"
    if have skopeo; then
        is 'skopeo sees the image' "$(skopeo inspect --creds "$auth" --tls-verify=false "docker://$at/app:1" | jq -r .Digest)" "$(cat "$tmp/id")"
        ok 'skopeo copies all of it' skopeo copy -q --all --preserve-digests --src-creds "$auth" --src-tls-verify=false "docker://$at/app:1" "oci:$tmp/copied:x"
        is 'byte for byte' "$(jq -r '.manifests[0].digest' "$tmp/copied/index.json")" "$(cat "$tmp/id")"
    else
        for t in 'skopeo sees the image' 'skopeo copies all of it' 'byte for byte'; do skip "$t" 'no skopeo'; done
    fi
    if have crane; then
        like 'crane reads the index' "$(crane manifest --insecure "$at/app:1")" attestation-manifest
    else
        skip 'crane reads the index' 'no crane'
    fi
    if have oras; then
        like 'oras discovers the referrer' "$(oras discover --plain-http "$at/app:2" --platform "linux/$(uname -m | sed 's/x86_64/amd64/; s/aarch64/arm64/')" 2>&1)" 'attestation.manifest'
    else
        skip 'oras discovers the referrer' 'no oras'
    fi
else
    skip 'registries' 'no curl'
fi
done_testing
