#!/usr/bin/env python3
"""Makes an image layout for tests: an index "multi" of two platforms with an attestation, two layers
each (one shared), a signature that refers to the index and an SBOM that refers to one of its images.

    ocilayout.py DIRECTORY [BYTES]     BYTES: of the layer that differs (4096)
"""
import hashlib, io, json, os, sys, tarfile

root, size = sys.argv[1], int(sys.argv[2]) if len(sys.argv) > 2 else 4096
T = "application/vnd.oci.image."
os.makedirs(root + "/blobs/sha256")


def put(data, media_type, **more):
    digest = hashlib.sha256(data).hexdigest()
    with open(f"{root}/blobs/sha256/{digest}", "wb") as f:
        f.write(data)
    return {"mediaType": media_type, "digest": "sha256:" + digest, "size": len(data), **more}


def doc(value, media_type, **more):
    return put(json.dumps(value).encode(), media_type, **more)


def layer(name, data):
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as tar:
        info = tarfile.TarInfo(name)
        info.size = len(data)
        tar.addfile(info, io.BytesIO(data))
    return put(out.getvalue(), T + "layer.v1.tar")


def noise(seed, n):
    out = b""
    while len(out) < n:
        seed = hashlib.sha512(seed).digest()
        out += seed * 64 if n > 1 << 20 else seed
    return out[:n]


def manifest(config, layers, **more):
    return {"schemaVersion": 2, "mediaType": T + "manifest.v1+json", "config": config, "layers": layers, **more}


shared, images = layer("shared", b"shared\n"), []
for arch in "amd64", "arm64":
    layers = [shared, layer(arch, noise(arch.encode(), size))]
    config = {"architecture": arch, "os": "linux", "created": "2024-01-02T03:04:05Z",
              "config": {"Env": ["PATH=/bin", "ARCH=" + arch], "Cmd": ["/" + arch], "Labels": {"a": "1"}},
              "rootfs": {"type": "layers", "diff_ids": [l["digest"] for l in layers]}}
    m = manifest(doc(config, T + "config.v1+json"), layers)
    images.append(doc(m, m["mediaType"], platform={"architecture": arch, "os": "linux"}))
proof = put(b'{"_type":"https://in-toto.io/Statement/v0.1"}', "application/vnd.in-toto+json")
m = manifest(doc({"architecture": "unknown", "os": "unknown", "rootfs": {"type": "layers", "diff_ids": [proof["digest"]]}},
                 T + "config.v1+json"), [proof])
attestation = doc(m, m["mediaType"], platform={"architecture": "unknown", "os": "unknown"}, annotations={
    "vnd.docker.reference.type": "attestation-manifest", "vnd.docker.reference.digest": images[0]["digest"]})
index = doc({"schemaVersion": 2, "mediaType": T + "index.v1+json", "manifests": images + [attestation]},
            T + "index.v1+json")
empty = put(b"{}", "application/vnd.oci.empty.v1+json")
for kind, subject in ("signature", index), ("sbom", images[0]):
    subject = {k: subject[k] for k in ("mediaType", "digest", "size")}
    m = manifest(empty, [put(kind.encode(), "text/plain")], artifactType="application/x." + kind, subject=subject)
    images.append(doc(m, m["mediaType"], artifactType=m["artifactType"]))
named = {**index, "annotations": {"org.opencontainers.image.ref.name": "multi"}}
with open(root + "/oci-layout", "w") as f:
    f.write('{"imageLayoutVersion":"1.0.0"}')
with open(root + "/index.json", "w") as f:
    json.dump({"schemaVersion": 2, "manifests": [named] + images[2:]}, f)
print(index["digest"], images[0]["digest"], images[1]["digest"])
