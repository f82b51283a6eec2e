#!/bin/sh
# Other people's tools read what slipway writes, and slipway reads what they write.
. "$(dirname "$0")/lib.sh"
base_images
mkdir "$tmp/app"
cat >"$tmp/app/Dockerfile" <<'D'
FROM busybox
WORKDIR /srv
COPY --chown=app:extra hello.txt .
RUN rm /etc/group && mkdir /made && echo made > /made/file && ln /made/file /made/hard
ENV A=b
LABEL team=platform
USER app
ENTRYPOINT ["cat"]
CMD ["hello.txt"]
D
echo hello >"$tmp/app/hello.txt"
ok 'an image' "$slipway" build -t app:1.0 -o "type=oci,dest=$tmp/oci.tar" "$tmp/app"
ok 'as a docker archive' "$slipway" save -o "$tmp/docker.tar" app:1.0
ok 'as an OCI directory' "$slipway" save --format oci-dir -o "$tmp/layout" app:1.0
ok 'Docker media types' "$slipway" build --format docker -t app:docker "$tmp/app"
digest=$("$slipway" inspect --format '{{.Digest}}' app:1.0)
if have skopeo; then
    is 'skopeo inspects the store in place' "$(skopeo inspect --format '{{.Digest}}' "oci:$SLIPWAY_ROOT:app:1.0")" "$digest"
    is 'skopeo inspects the OCI archive' "$(skopeo inspect --format '{{.Digest}}' "oci-archive:$tmp/oci.tar")" "$digest"
    ok 'skopeo copies the docker archive' skopeo copy -q "docker-archive:$tmp/docker.tar" "dir:$tmp/dir"
    ok 'skopeo copies the OCI directory' skopeo copy -q --preserve-digests "oci:$tmp/layout:app:1.0" "oci:$tmp/copied:app:1.0"
    ok 'slipway loads what skopeo wrote (OCI)' "$slipway" load -i "$tmp/copied" -t back:oci
    is 'unchanged' "$("$slipway" inspect --format '{{.Digest}}' back:oci)" "$digest"
    ok 'skopeo writes a docker archive' skopeo copy -q "oci:$tmp/layout:app:1.0" "docker-archive:$tmp/skopeo.tar:app:2"
    ok 'slipway loads it' "$slipway" load -i "$tmp/skopeo.tar"
    is 'and runs it' "$("$slipway" run app:2)" hello
else skip 'skopeo' 'not installed'; fi
if have umoci; then
    ok 'umoci unpacks the store in place' umoci unpack $(is_root || echo --rootless) --image "$SLIPWAY_ROOT:app:1.0" "$tmp/bundle"
    is 'a file' "$(cat "$tmp/bundle/rootfs/srv/hello.txt")" hello
    is 'a removed file' "$(ls "$tmp/bundle/rootfs/etc/group" 2>/dev/null)" ''
    is_root && is 'an owner' "$(stat -c %u:%g "$tmp/bundle/rootfs/srv/hello.txt")" 1000:2000
    is 'a hard link' "$(stat -c %h "$tmp/bundle/rootfs/made/file")" 2
else skip 'umoci' 'not installed'; fi
for p in podman buildah; do
    if ! have $p || ! is_root; then
        skip "$p reads it" 'not installed, or not root'
        continue
    fi
    store="--root $tmp/$p --runroot $tmp/$p.run --storage-driver vfs"
    # shellcheck disable=SC2086
    ok "$p pulls the OCI archive" $p $store pull -q "oci-archive:$tmp/oci.tar"
    if [ $p = buildah ]; then
        # shellcheck disable=SC2086
        ok 'buildah starts from it' buildah $store from --name c "oci-archive:$tmp/oci.tar"
        # shellcheck disable=SC2086
        is 'and sees its configuration' "$(buildah $store inspect --format '{{.OCIv1.Config.User}} {{.OCIv1.Config.WorkingDir}}' c)" 'app /srv'
    else
        # shellcheck disable=SC2086
        ok 'podman loads the docker archive' podman $store load -q -i "$tmp/docker.tar"
        # shellcheck disable=SC2086
        is 'and sees its command' "$(podman $store image inspect --format '{{.Config.Entrypoint}} {{.Config.Cmd}}' app:1.0 2>/dev/null)" '[cat] [hello.txt]'
    fi
done
# What an archive is made of does not depend on who asks or when.
"$slipway" save -o "$tmp/docker2.tar" app:1.0
ok 'saving twice gives the same bytes' cmp "$tmp/docker.tar" "$tmp/docker2.tar"
fails 'a damaged archive is refused' 1 '.' sh -c "head -c 20000 '$tmp/docker.tar' | '$slipway' --root '$tmp/fresh' load"
is 'and nothing is added' "$("$slipway" --root "$tmp/fresh" images -q)" ''
fails 'something else is refused' 1 '.' "$slipway" load -i "$tmp/app/hello.txt"
done_testing
