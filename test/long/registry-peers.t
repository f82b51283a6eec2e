#!/bin/sh
# Other clients against the registry, without and with TLS: login, push, pull; then as an account that
# has no rights there, that is wrong, revoked or expired, and anonymously. Peers that are not installed
# are skipped. ROUNDS names the ways: "http https".
if [ "$(id -u)" = 0 ] && [ -z "${IN_NAMESPACE:-}" ] && unshare -m true 2>/dev/null; then
    IN_NAMESPACE=1 exec unshare -m sh "$0" "$@"
fi
. "$(dirname "$0")/../cli/lib.sh"
need python3 openssl curl
export HOME="$tmp/home" TMPDIR="$tmp" XDG_RUNTIME_DIR="$tmp/run" DOCKER_CONFIG="$tmp/docker"
unset REGISTRY_AUTH_FILE SSL_CERT_FILE http_proxy https_proxy
mkdir -p "$HOME" "$tmp/run" "$tmp/docker"
set -- $(python3 test/cli/ocilayout.py "$tmp/src" 300000)
index=$1
"$slipway" copy -q "oci:$tmp/src:multi" "docker-archive:$tmp/src.dtar:local/src:1" >/dev/null

server='' containerd=''
stop() { for p in $server $containerd; do kill "$p" 2>/dev/null && wait "$p" 2>/dev/null; done; }
at_exit stop
manage() { what=$1; shift; "$slipway" registry "$what" --data "$tmp/data" "$@"; }
serve() {
    rm -f "$tmp/port"
    "$slipway" registry serve -a 127.0.0.1:0 --port-file "$tmp/port" --data "$tmp/data" --gc-interval 0 "$@" 2>>"$tmp/log" &
    server=$!
    n=0
    until [ -s "$tmp/port" ] || [ $n -ge 200 ]; do sleep 0.1; n=$((n + 1)); done
    at=$host:$(cat "$tmp/port")
}
# helm and containerd speak no TLS to what they know to be this machine. They do not know this name.
tls_host=127.0.0.1
if [ -n "${IN_NAMESPACE:-}" ]; then
    printf '127.0.0.1 localhost registry.test\n' >"$tmp/hosts"
    mount --bind "$tmp/hosts" /etc/hosts && tls_host=registry.test
fi

# A peer is four functions: PEER_login USER PASSWORD, PEER_logout, PEER_push TAG, PEER_pull TAG; where
# $plain is set, without TLS. pull prints the digest of what came, where the peer knows it.
skopeo_login() { printf %s "$2" | skopeo login ${plain:+--tls-verify=false} -u "$1" --password-stdin --authfile "$tmp/skopeo.json" "$at"; }
skopeo_logout() { rm -f "$tmp/skopeo.json"; echo '{}' >"$tmp/skopeo.json"; }
skopeo_push() { skopeo copy -q --all --preserve-digests --authfile "$tmp/skopeo.json" ${plain:+--dest-tls-verify=false} "oci:$tmp/src:multi" "docker://$at/$1"; }
skopeo_pull() { skopeo copy -q --all --preserve-digests --authfile "$tmp/skopeo.json" ${plain:+--src-tls-verify=false} "docker://$at/$1" "oci:$tmp/got.skopeo:x"; }

vfs="--root $tmp/vfs --runroot $tmp/vfsrun --storage-driver vfs"
podman_login() { printf %s "$2" | podman $vfs login ${plain:+--tls-verify=false} -u "$1" --password-stdin --authfile "$tmp/podman.json" "$at"; }
podman_logout() { echo '{}' >"$tmp/podman.json"; }
podman_push() { podman $vfs pull -q "docker-archive:$tmp/src.dtar" >"$tmp/podman.id" && podman $vfs push -q --authfile "$tmp/podman.json" ${plain:+--tls-verify=false} "$(cat "$tmp/podman.id")" "$at/$1"; }
podman_pull() { podman $vfs pull -q --authfile "$tmp/podman.json" ${plain:+--tls-verify=false} "$at/$1"; }

buildah_login() { printf %s "$2" | buildah $vfs login ${plain:+--tls-verify=false} -u "$1" --password-stdin --authfile "$tmp/buildah.json" "$at"; }
buildah_logout() { echo '{}' >"$tmp/buildah.json"; }
buildah_push() { buildah $vfs pull -q "docker-archive:$tmp/src.dtar" >"$tmp/buildah.id" && buildah $vfs push -q --authfile "$tmp/buildah.json" ${plain:+--tls-verify=false} "$(cat "$tmp/buildah.id")" "docker://$at/$1"; }
buildah_pull() { buildah $vfs pull -q --policy always --authfile "$tmp/buildah.json" ${plain:+--tls-verify=false} "docker://$at/$1"; }

ca() { [ -n "$plain" ] || echo "SSL_CERT_FILE=$tmp/server.crt"; }
crane_login() { printf %s "$2" | env $(ca) DOCKER_CONFIG="$tmp/crane" crane auth login -u "$1" --password-stdin "$at" && env $(ca) DOCKER_CONFIG="$tmp/crane" crane digest "$at/public/base:1"; }
crane_logout() { rm -rf "$tmp/crane"; }
crane_push() { env $(ca) DOCKER_CONFIG="$tmp/crane" crane push --index "$tmp/src" "$at/$1"; }
crane_pull() { env $(ca) DOCKER_CONFIG="$tmp/crane" crane pull --format oci "$at/$1" "$tmp/got.crane"; }

oras_login() { printf %s "$2" | env $(ca) oras login ${plain:+--plain-http} --registry-config "$tmp/oras.json" -u "$1" --password-stdin "$at"; }
oras_logout() { rm -f "$tmp/oras.json"; }
oras_push() { env $(ca) oras cp -r --to-registry-config "$tmp/oras.json" ${plain:+--to-plain-http} --from-oci-layout "$tmp/src:multi" "$at/$1"; }
oras_pull() { env $(ca) oras cp -r --from-registry-config "$tmp/oras.json" ${plain:+--from-plain-http} "$at/$1" --to-oci-layout "$tmp/got.oras:x"; }

regctl_env() { env REGCTL_CONFIG="$tmp/regctl.json" $(ca) regctl -v error "$@"; }
regctl_login() { regctl_logout; printf %s "$2" | regctl_env registry login --skip-check -u "$1" --pass-stdin "$at" && regctl_env repo ls "$at"; }
regctl_logout() { rm -f "$tmp/regctl.json"; [ -z "$plain" ] || regctl_env registry set --skip-check --tls disabled "$at"; }
regctl_push() { regctl_env image copy --referrers "ocidir://$tmp/src:multi" "$at/$1"; }
regctl_pull() { regctl_env image copy --referrers "$at/$1" "ocidir://$tmp/got.regctl:x"; }

docker_login() { printf %s "$2" | env $(ca) DOCKER_HOST=unix:///nonexistent docker login -u "$1" --password-stdin "$at"; }
docker_logout() { echo '{}' >"$DOCKER_CONFIG/config.json"; }

helm_flags() { if [ -n "$plain" ]; then echo --plain-http; else echo "--ca-file $tmp/server.crt"; fi; }
helm_login() {
    if [ -z "$plain" ] || helm registry login --help | grep -q plain-http; then
        printf %s "$2" | env $(ca) HELM_REGISTRY_CONFIG="$tmp/helm.json" helm registry login $(helm_flags) -u "$1" --password-stdin "$at"
    else # its login knows https alone: what it would have written
        curl -sf -u "$1:$2" "http://$at/v2/" >/dev/null &&
            printf '{"auths":{"%s":{"auth":"%s"}}}' "$at" "$(printf %s "$1:$2" | base64 -w0)" >"$tmp/helm.json"
    fi
}
helm_logout() { rm -f "$tmp/helm.json"; }
helm_push() {
    [ -e "$tmp/chart-1.0.0.tgz" ] || {
        mkdir -p "$tmp/chart/templates"
        printf 'apiVersion: v2\nname: chart\nversion: 1.0.0\n' >"$tmp/chart/Chart.yaml"
        helm package -d "$tmp" "$tmp/chart"
    } || return
    HELM_REGISTRY_CONFIG="$tmp/helm.json" helm push $(helm_flags) "$tmp/chart-1.0.0.tgz" "oci://$at/${1%:*}"
}
helm_pull() { rm -rf "$tmp/got.helm"; mkdir "$tmp/got.helm"; HELM_REGISTRY_CONFIG="$tmp/helm.json" helm pull $(helm_flags) -d "$tmp/got.helm" "oci://$at/${1%:*}/chart" --version 1.0.0 && cmp "$tmp/chart-1.0.0.tgz" "$tmp/got.helm/chart-1.0.0.tgz"; }

# containerd has no login: every call says who asks.
ctr_user='' ctr_tls=''
ctr_run() { ctr -a "$tmp/containerd.sock" "$@"; }
ctr_login() { ctr_user="--user $1:$2"; curl -sf --cacert "$tmp/server.crt" -u "$1:$2" "$scheme://$at/v2/"; }
ctr_logout() { ctr_user=''; }
ctr_flags() { if [ -n "$plain" ]; then echo --plain-http; else echo "--tlscacert $tmp/server.crt"; fi; }
ctr_push() { ctr_run images import --no-unpack --all-platforms --base-name local "$tmp/src.tar" && ctr_run images push $(ctr_flags) $ctr_user "$at/$1" local:multi; }
ctr_pull() { ctr_run content fetch $(ctr_flags) $ctr_user --all-platforms "$at/$1"; }
start_containerd() {
    printf 'version = 2\nroot = "%s/cd/root"\nstate = "%s/cd/state"\ndisabled_plugins = ["io.containerd.grpc.v1.cri"]\n[grpc]\naddress = "%s/containerd.sock"\n[ttrpc]\naddress = "%s/containerd.ttrpc"\n' \
        "$tmp" "$tmp" "$tmp" "$tmp" >"$tmp/containerd.toml"
    containerd --config "$tmp/containerd.toml" >"$tmp/containerd.log" 2>&1 &
    containerd=$!
    n=0
    until ctr_run version >/dev/null 2>&1 || [ $n -ge 100 ]; do sleep 0.1; n=$((n + 1)); done
    tar -C "$tmp/src" -cf "$tmp/src.tar" .
}

# refused NAME COMMAND...: fails, and not by a crash
refused() {
    name=$1
    shift
    if "$@" >"$tmp/.out" 2>&1; then report 1 "$name"; else
        grep -Eq 'panic|SIGSEGV' "$tmp/.out" && code=1 || code=0
        report $code "$name"
    fi
}
# try PEER: what every client must get and must not get
try() {
    p=$1
    ${p}_logout
    if [ $p = docker ]; then
        refused "$way $p: a wrong password" docker_login ci nonsense-password
        ok "$way $p: login" docker_login 'robot$ci' "$ci"
        docker_logout
        return
    fi
    refused "$way $p: anonymous pull" ${p}_pull team/base:1
    refused "$way $p: anonymous push" ${p}_push "team/$p:1"
    refused "$way $p: a wrong password" ${p}_login 'robot$ci' nonsense-password
    ${p}_logout
    ok "$way $p: login" ${p}_login 'robot$ci' "$ci"
    ok "$way $p: push" ${p}_push "team/$p:1"
    ok "$way $p: pull" ${p}_pull "team/$p:1"
    refused "$way $p: push elsewhere" ${p}_push "other/$p:1"
    ${p}_logout
    ok "$way $p: login of somebody else" ${p}_login 'robot$other' "$other"
    refused "$way $p: who may not push here" ${p}_push "team/$p:2"
    refused "$way $p: nor pull" ${p}_pull "team/$p:1"
    ${p}_logout
    refused "$way $p: revoked" ${p}_login 'robot$revoked' "$revoked"
    ${p}_logout
    [ -z "$expired" ] || refused "$way $p: expired" ${p}_login 'robot$expired' "$expired"
    ${p}_logout
    # A chart is no image, and there is none in public/.
    [ $p = helm ] || ok "$way $p: anonymous pull by rule" ${p}_pull public/base:1
    ${p}_logout
}

openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -keyout "$tmp/server.key" \
    -out "$tmp/server.crt" -subj /CN=registry -addext 'subjectAltName=IP:127.0.0.1,DNS:registry.test' 2>/dev/null
! have containerd || ! have ctr || ! is_root || start_containerd
for way in ${ROUNDS:-http https}; do
    rm -rf "$tmp/data"
    if [ $way = http ]; then
        plain=-s scheme=http host=127.0.0.1
        serve
    else
        plain='' scheme=https host=$tls_host
        serve --tls-cert "$tmp/server.crt" --tls-key "$tmp/server.key"
        mkdir -p "$HOME/.config/containers/certs.d/$at"
        cp "$tmp/server.crt" "$HOME/.config/containers/certs.d/$at/ca.crt"
    fi
    ci=$(manage robot add ci --role 'developer=team/**' --role 'developer=public/**')
    other=$(manage robot add other --role 'developer=elsewhere/**')
    revoked=$(manage robot add revoked --role 'developer=team/**')
    manage robot disable revoked >/dev/null
    expired=''
    if have sqlite3; then
        expired=$(manage robot add expired --role 'developer=team/**' --expires 1)
        sqlite3 "$tmp/data/meta.db" "UPDATE accounts SET expires = 1 WHERE name = 'robot\$expired'"
    fi
    manage rule add anonymous 'public/**' >/dev/null
    printf '%s\n' "$ci" | "$slipway" login -u 'robot$ci' --password-stdin "$at" >/dev/null
    for r in team/base public/base; do ok "$way slipway: $r" "$slipway" copy -q "oci:$tmp/src:multi" "$at/$r:1"; done
    docker_logout
    for p in skopeo podman buildah crane oras regctl docker helm ctr; do
        if [ $p = ctr ] && [ -z "$containerd" ]; then
            skip "$way containerd" 'containerd is missing, or this is not root'
        elif [ "$way $host" = 'https 127.0.0.1' ] && { [ $p = ctr ] || [ $p = helm ]; }; then
            skip "$way $p" 'this is not root: 127.0.0.1 has no other name'
        elif ! have $p; then
            skip "$way $p" "$p is missing"
        else
            try $p
        fi
    done
    for p in skopeo oras regctl ctr; do
        [ ! -e "$tmp/got.$p" ] || is "$way $p: what came is what went" "$("$slipway" inspect --raw "oci:$tmp/got.$p:x" | sha256sum | cut -d' ' -f1)" "${index#sha256:}"
        rm -rf "$tmp/got.$p"
    done
    is "$way: no secret is in the log" "$(grep -cF -e "$ci" -e "$other" "$tmp/log")" 0
    kill $server
    wait $server
    server=''
done
done_testing
