#!/usr/bin/env python3
"""A registry that misbehaves, for tests of the client. What it does is said by the repository's name:

    plain      nothing wrong                    cut        a blob's connection ends after 1 MiB
    norange    the same, and no ranges          short      blobs are shorter than they should be
    changed    other bytes of the same length   reset      a range gives 416
    expire     the same as cut, and no token is good after such an end
    busy       503 with Retry-After at first    signed     blobs are elsewhere, at addresses good once
    stall      the second half never comes      push...    an upload breaks in its middle; see PATCH

    hostile.py LAYOUT PORTFILE LOG [CERT KEY [CLIENT-CA]]

Every request becomes a line of LOG: METHOD PATH RANGE-OR-DASH STATUS. It also is an HTTP proxy for
plain http ("PROXY" stands before such lines).
"""
import hashlib, json, os, re, ssl, sys, threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

layout, port_file, log_file = sys.argv[1:4]
lock, seen, uploads, MIB = threading.Lock(), {}, {}, 1 << 20
log = open(log_file, "a", buffering=1)


def count(key):
    with lock:
        seen[key] = seen.get(key, 0) + 1
        return seen[key]


def read(digest):
    try:
        with open(f"{layout}/blobs/{digest.replace(':', '/')}", "rb") as f:
            return f.read()
    except OSError:
        return None


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *_):
        pass

    def note(self, status):
        log.write(f"{self.proxied}{self.command} {self.where} {self.headers.get('Range') or '-'} {status}\n")

    def answer(self, status, body=b"", **headers):
        self.note(status)
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), str(value))
        self.send_header("Content-Length", headers.pop("length", len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def hang_up(self):
        self.wfile.flush()
        self.close_connection = True
        self.connection.shutdown(2)

    def blob(self, repo, digest):
        data, start = read(digest), 0
        if data is None:
            return self.answer(404, b'{"errors":[{"code":"BLOB_UNKNOWN"}]}')
        large, n = len(data) > MIB, count((repo, digest))
        if repo == "signed" and large:
            return self.answer(307, Location=f"/elsewhere/{n}/{digest}")
        if repo == "changed" and large:
            data = b"x" * len(data)
        if repo == "short" and large:
            data = data[:len(data) // 2]
        match = re.fullmatch(r"bytes=(\d+)-", self.headers.get("Range") or "")
        if match and repo == "reset":
            return self.answer(416)
        if match and repo != "norange":
            start = int(match.group(1))
        rest = data[start:]
        self.note(206 if start else 200)
        self.send_response(206 if start else 200)
        if start:
            self.send_header("Content-Range", f"bytes {start}-{len(data) - 1}/{len(data)}")
        self.send_header("Content-Length", str(len(rest)))
        self.end_headers()
        if self.command == "HEAD":
            return
        if repo == "stall" and large and n == 1:
            self.wfile.write(rest[:len(rest) // 2])
            self.wfile.flush()
            threading.Event().wait(60)
            return self.hang_up()
        cut = repo in ("cut", "expire", "elsewhere") or (repo == "norange" and n < 3)
        if cut and large and len(rest) > MIB:
            self.wfile.write(rest[:MIB])
            self.expire(repo)
            return self.hang_up()
        self.wfile.write(rest)

    def expire(self, repo):
        with lock:
            seen["valid", repo] = seen.get("token", 0) + 1

    def authorized(self, repo):
        if repo not in ("expire", "pushexpire"):
            return True
        token = (self.headers.get("Authorization") or "")[len("Bearer t"):]
        if token and int(token) >= seen.get(("valid", repo), 0):
            return True
        self.answer(401, WWW_Authenticate=f'Bearer realm="{scheme}://{self.headers["Host"]}/token",service="s"')
        return False

    def do_GET(self):
        self.proxied, path = "", self.path
        if path.startswith("http://"):
            self.proxied, path = "PROXY ", "/" + path.split("/", 3)[3]
        self.where = path
        if path == "/v2/":
            return self.answer(200)
        if path.startswith("/token"):
            return self.answer(200, json.dumps({"token": f"t{count('token')}", "expires_in": 3600}).encode())
        match = re.fullmatch(r"/elsewhere/(\d+)/(.*)", path)
        if match:
            if count(path) > 1:
                return self.answer(403)
            return self.blob("elsewhere", match.group(2))
        match = re.fullmatch(r"/v2/([a-z]+)/blobs/uploads/(\d+)", path)
        if match:
            if not self.authorized(match.group(1)):
                return None
            if match.group(2) not in uploads:
                return self.answer(404)
            return self.answer(204, Location=path, Range=f"0-{max(len(uploads[match.group(2)]) - 1, 0)}")
        match = re.fullmatch(r"(?:/below)?/v2/([a-z]+)/(manifests|blobs)/([^?]*)", path)
        if not match:
            return self.answer(404)
        repo, kind, name = match.groups()
        if repo == "busy" and count(path) == 1:
            return self.answer(503, Retry_After=1)
        if not self.authorized(repo):
            return None
        if kind == "blobs" and not repo.startswith("push"):
            return self.blob(repo, name)
        with open(layout + "/index.json") as f:
            index = json.load(f)["manifests"][0]
        data = read(index["digest"] if ":" not in name else name)
        if data is None or repo.startswith("push"):
            return self.answer(404, b'{"errors":[{"code":"UNKNOWN"}]}')
        digest = "sha256:" + hashlib.sha256(data).hexdigest()
        return self.answer(200, data, Content_Type=json.loads(data)["mediaType"], Docker_Content_Digest=digest)

    do_HEAD = do_GET

    def body(self, most=None):
        left, got = int(self.headers.get("Content-Length") or 0), b""
        while left and (most is None or len(got) < most):
            piece = self.rfile.read(min(left, 65536))
            if not piece:
                break
            got, left = got + piece, left - len(piece)
        return got

    def do_POST(self):
        self.proxied, self.where = "", self.path
        repo = self.path.split("/")[2]
        if not self.authorized(repo):
            return
        n = str(count("upload"))
        uploads[n] = b""
        self.answer(202, Location=f"/v2/{repo}/blobs/uploads/{n}")

    def do_PATCH(self):
        """1 MiB is taken of each. pushlost: then the upload is gone. pushexpire: and the token."""
        self.proxied, self.where = "", self.path
        _, _, repo, _, _, n = self.path.split("/")
        if not self.authorized(repo):
            self.close_connection = True
            return None
        large = int(self.headers["Content-Length"]) > MIB
        if large and (repo in ("pushcut", "pushexpire") or (repo == "pushlost" and count("lost") == 1)):
            uploads[n] += self.body(MIB)
            self.note("cut")
            if repo == "pushlost":
                del uploads[n]
            self.expire(repo)
            return self.hang_up()
        uploads[n] += self.body()
        return self.answer(202, Location=self.path, Range=f"0-{len(uploads[n]) - 1}")

    def do_PUT(self):
        self.proxied, self.where = "", self.path
        match = re.fullmatch(r"/v2/([a-z]+)/blobs/uploads/(\d+)\?digest=sha256:(.*)", self.path)
        data = self.body()
        if not self.authorized(self.path.split("/")[2]):
            return None
        if not match:
            return self.answer(201, Docker_Content_Digest="sha256:" + hashlib.sha256(data).hexdigest())
        whole = uploads[match.group(2)] + data
        return self.answer(201 if hashlib.sha256(whole).hexdigest() == match.group(3) else 400)


class Server(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, *_):
        pass


server, scheme = Server(("127.0.0.1", 0), Handler), "http"
if len(sys.argv) > 4:
    context, scheme = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER), "https"
    context.load_cert_chain(sys.argv[4], sys.argv[5])
    if len(sys.argv) > 6:
        context.load_verify_locations(sys.argv[6])
        context.verify_mode = ssl.CERT_REQUIRED
    server.socket = context.wrap_socket(server.socket, server_side=True)
with open(port_file + ".new", "w") as f:
    f.write(str(server.server_port))
os.rename(port_file + ".new", port_file)
server.serve_forever()
