#!/usr/bin/env python3
"""Writes an OCI archive of one layer, a static busybox and what a container needs: image.py BUSYBOX OUT."""
import hashlib, io, json, sys, tarfile

busybox, out = sys.argv[1:]


def archive(files):
    data = io.BytesIO()
    with tarfile.open(fileobj=data, mode="w") as tar:
        for name, content, mode in files:
            info = tarfile.TarInfo(name)
            info.mode = mode
            if content is None:
                info.type = tarfile.DIRTYPE
            elif isinstance(content, str):
                info.type, info.linkname = tarfile.SYMTYPE, content
            else:
                info.size = len(content)
            tar.addfile(info, io.BytesIO(content) if isinstance(content, bytes) else None)
    return data.getvalue()


def digest(data):
    return hashlib.sha256(data).hexdigest()


def described(kind, data):
    return {"mediaType": f"application/vnd.oci.image.{kind}", "digest": "sha256:" + digest(data), "size": len(data)}


applets = "sh cat cp dd echo head ls mkdir mount mv rm sleep sync true".split()
layer = archive([(name, None, 0o755) for name in ("bin", "etc", "tmp", "root", "dev", "proc", "sys", "run")]
                + [("bin/busybox", open(busybox, "rb").read(), 0o755)] + [(f"bin/{name}", "busybox", 0o777) for name in applets]
                + [("etc/passwd", b"root:x:0:0:root:/root:/bin/sh\n", 0o644), ("etc/group", b"root:x:0:\n", 0o644)])
config = json.dumps({"architecture": "amd64", "os": "linux", "config": {"Cmd": ["/bin/sh"], "Env": ["PATH=/bin"]},
                     "rootfs": {"type": "layers", "diff_ids": ["sha256:" + digest(layer)]}}).encode()
manifest = json.dumps({"schemaVersion": 2, "mediaType": "application/vnd.oci.image.manifest.v1+json",
                       "config": described("config.v1+json", config), "layers": [described("layer.v1.tar", layer)]}).encode()
named = described("manifest.v1+json", manifest) | {"annotations": {"org.opencontainers.image.ref.name": "tiny:latest"}}
blobs = [(f"blobs/sha256/{digest(data)}", data, 0o644) for data in (layer, config, manifest)]
index = json.dumps({"schemaVersion": 2, "manifests": [named]}).encode()
open(out, "wb").write(archive([("oci-layout", b'{"imageLayoutVersion": "1.0.0"}', 0o644), ("index.json", index, 0o644)] + blobs))
