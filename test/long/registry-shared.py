#!/usr/bin/env python3
"""Two servers on one PostgreSQL database and one S3 store. Prints TAP.

    registry-shared.py [SLIPWAY]

Clients push to both at once, one server collects with a grace of seconds, the other is killed in the
middle of uploads and started again. Needs PostgreSQL's programs and minio (in the path, or $MINIO).
"""
import concurrent.futures
import glob
import hashlib
import http.client
import json
import os
import random
import shutil
import socket
import subprocess
import sys
import tempfile
import threading
import time

slipway = os.path.abspath((sys.argv[1:] or [os.environ.get("SLIPWAY", "build/src/cmd/slipway")])[0])
minio = os.environ.get("MINIO") or shutil.which("minio")
initdb = shutil.which("initdb") or max(glob.glob("/usr/lib/postgresql/*/bin/initdb"), default=None)
if not minio or not initdb:
    print("1..0 # SKIP %s is missing" % ("initdb" if minio else "minio"))
    sys.exit(0)
tests = failures = 0


def check(name, got, want):
    global tests, failures
    tests += 1
    if got != want:
        failures += 1
    print("%s %d - %s" % ("ok" if got == want else "not ok", tests, name), flush=True)
    if got != want:
        print("# expected %r, got %r" % (want, got), flush=True)


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


work = tempfile.mkdtemp(prefix="slipway-shared.")
os.chmod(work, 0o755)
os.chdir(work)
random.seed(1)
processes = []
# PostgreSQL does not run as root.
user = "postgres" if os.getuid() == 0 else None
as_user = {"user": user, "group": user} if user else {}


def start(argv, **options):
    p = subprocess.Popen(argv, stdout=open("log", "a"), stderr=subprocess.STDOUT, **options)
    processes.append(p)
    return p


def wait_for(port):
    for _ in range(600):
        try:
            socket.create_connection(("127.0.0.1", port), 1).close()
            return
        except OSError:
            time.sleep(0.1)
    raise SystemExit("nothing listens on port %d: %s" % (port, open("log").read()[-2000:]))


pg_port, s3_port = free_port(), free_port()
os.mkdir("pg")
if user:
    shutil.chown("pg", user)
subprocess.run([initdb, "-D", work + "/pg", "-U", "registry", "-A", "trust", "-N"], check=True,
               stdout=open("log", "a"), cwd="/", **as_user)
start([os.path.join(os.path.dirname(os.path.realpath(initdb)), "postgres"), "-D", work + "/pg", "-p",
       str(pg_port), "-c", "listen_addresses=127.0.0.1", "-k", work + "/pg"], cwd="/", **as_user)
keys = {"MINIO_ROOT_USER": "testaccess", "MINIO_ROOT_PASSWORD": "testsecret",
        "AWS_ACCESS_KEY_ID": "testaccess", "AWS_SECRET_ACCESS_KEY": "testsecret"}
os.environ.update(keys)
os.makedirs("s3/bucket")
start([minio, "server", "--quiet", "--address", "127.0.0.1:%d" % s3_port, work + "/s3"])
wait_for(pg_port)
wait_for(s3_port)
time.sleep(1)  # minio listens before it answers


class Server:
    def __init__(self, name):
        self.name, self.port = name, free_port()
        self.start()

    def start(self):
        self.process = start([
            slipway, "registry", "serve", "--open", "-a", "127.0.0.1:%d" % self.port, "--data", self.name,
            "--metadata", "postgres://registry@127.0.0.1:%d/postgres" % pg_port,
            "--s3-endpoint", "http://127.0.0.1:%d" % s3_port, "--s3-bucket", "bucket",
            "--gc-interval", "0", "--gc-grace", "20", "--upload-expiry", "1"])
        wait_for(self.port)

    def ask(self, method, path, body=None, headers={}):
        c = http.client.HTTPConnection("127.0.0.1", self.port, timeout=120)
        try:
            c.request(method, path, body, headers)
            r = c.getresponse()
            return r.status, r.headers, r.read()
        finally:
            c.close()


MANIFEST = "application/vnd.oci.image.manifest.v1+json"
shared = [random.randbytes(300000) for _ in range(3)]


def digest(data):
    return "sha256:" + hashlib.sha256(data).hexdigest()


def push_blob(servers, repo, blob):
    """In two chunks, the second of them through another server."""
    path = "/v2/%s/blobs/" % repo
    if random.choice(servers).ask("HEAD", path + digest(blob))[0] == 200:
        return True
    status, headers, _ = random.choice(servers).ask("POST", path + "uploads/")
    if status != 202:
        return False
    where, half = headers["Location"], len(blob) // 2
    status, headers, _ = random.choice(servers).ask("PATCH", where, blob[:half])
    if status != 202:
        return False
    where = headers["Location"]
    return random.choice(servers).ask("PUT", where + "?digest=" + digest(blob), blob[half:])[0] == 201


def push_image(servers, repo, n):
    rng = random.Random(n)
    # One in four is larger than a part of a multipart upload.
    blobs = [rng.randbytes(50), rng.randbytes(20 << 20 if n % 4 == 0 else 100000), shared[n % 3]]
    if not all([push_blob(servers, repo, b) for b in blobs]):
        return None
    text = json.dumps({"schemaVersion": 2, "mediaType": MANIFEST, "config": {
        "mediaType": "application/vnd.oci.image.config.v1+json", "digest": digest(blobs[0]), "size": 50},
        "layers": [{"mediaType": "application/vnd.oci.image.layer.v1.tar", "digest": digest(b),
                    "size": len(b)} for b in blobs[1:]]}).encode()
    status, _, _ = random.choice(servers).ask("PUT", "/v2/%s/manifests/n%d" % (repo, n), text,
                                              {"Content-Type": MANIFEST})
    return (repo, n, digest(text), [digest(b) for b in blobs]) if status == 201 else None


def retried(servers, repo, n):
    for _ in range(20):
        try:
            pushed = push_image(servers, repo, n)
            if pushed:
                return pushed
        except (OSError, http.client.HTTPException):
            pass
        time.sleep(0.5)
    return None


def whole(server, image):
    repo, n, want, blobs = image
    status, headers, text = server.ask("GET", "/v2/%s/manifests/n%d" % (repo, n))
    return status == 200 and digest(text) == want and all(
        digest(server.ask("GET", "/v2/%s/blobs/%s" % (repo, b))[2]) == b for b in blobs)


def multipart_uploads():
    """Uploads that minio keeps parts of."""
    return len(glob.glob("s3/.minio.sys/multipart/*/*"))


try:
    first, second = Server("first"), Server("second")
    both = [first, second]
    collecting, runs = True, []

    def collect():
        while collecting:
            runs.append(first.ask("POST", "/api/v1/gc")[0])
            time.sleep(0.2)

    collector = threading.Thread(target=collect)
    collector.start()
    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        images = list(pool.map(lambda n: retried(both, "r%d" % (n % 3), n), range(24)))
        check("all pushes through both servers succeed", None in images, False)
        late = [pool.submit(retried, both, "r%d" % (n % 3), n) for n in range(24, 40)]
        time.sleep(1)
        second.process.kill()
        second.process.wait()
        second.start()
        images += [f.result() for f in late]
    collecting = False
    collector.join()
    check("and while one of them is killed", None in images, False)
    check("the collector ran beside them", len(runs) > 0 and set(runs) == {200}, True)
    for server in both:
        check("everything is whole through the " + server.name,
              all(whole(server, i) for i in images if i), True)
    status, headers, _ = first.ask("POST", "/v2/left/blobs/uploads/")
    first.ask("PATCH", headers["Location"], bytes(17 << 20))
    check("an upload left alone has parts", multipart_uploads() > 0, True)
    second.process.kill()  # its next start looks at what has expired
    second.process.wait()
    time.sleep(2.5)
    second.start()
    for _ in range(100):
        if not multipart_uploads():
            break
        time.sleep(0.2)
    check("expired uploads give their parts back", multipart_uploads(), 0)
    check("and are unknown", first.ask("GET", headers["Location"])[0], 404)
    processes[1].terminate()  # the S3 store
    processes[1].wait()
    check("without its store a server is not ready", first.ask("GET", "/readyz")[0], 503)
    check("but serves what it knows", first.ask("GET", "/v2/r0/manifests/n0")[0], 200)
finally:
    for p in reversed(processes):
        p.terminate()
    for p in processes:
        p.wait()
    os.chdir("/")
    shutil.rmtree(work, ignore_errors=True)
print("1..%d" % tests)
sys.exit(1 if failures else 0)
