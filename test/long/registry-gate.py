#!/usr/bin/env python3
"""The registry's gate, webhooks, and token exchange, against signatures made by openssl. Prints TAP.

    registry-gate.py [SLIPWAY]
"""
import base64
import hashlib
import hmac
import http.server
import json
import os
import shutil
import subprocess
import sys
import tempfile
import threading
import time
import urllib.error
import urllib.parse
import urllib.request

if not shutil.which("openssl"):
    print("1..0 # SKIP openssl is missing")
    sys.exit(0)
slipway = os.path.abspath((sys.argv[1:] or [os.environ.get("SLIPWAY", "build/src/cmd/slipway")])[0])
work = tempfile.mkdtemp(prefix="slipway-gate.")
os.chdir(work)
tests = failures = 0


def check(name, got, want):
    global tests, failures
    tests += 1
    if got != want:
        failures += 1
    print("%s %d - %s" % ("ok" if got == want else "not ok", tests, name))
    if got != want:
        print("# expected %r, got %r" % (want, got))


def openssl(*args):
    return subprocess.run(["openssl", *args], check=True, capture_output=True).stdout


openssl("genpkey", "-algorithm", "ed25519", "-out", "key.pem")
openssl("pkey", "-in", "key.pem", "-pubout", "-out", "public.pem")
public = openssl("pkey", "-in", "public.pem", "-pubin", "-outform", "DER")[-32:]


def sign(data):
    with open("message", "wb") as f:
        f.write(data)
    return openssl("pkeyutl", "-sign", "-inkey", "key.pem", "-rawin", "-in", "message")


def url64(data):
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


deliveries = []
asked = []
published = {"kid": "1", "x": None}


class Outside(http.server.BaseHTTPRequestHandler):
    """Receives webhooks and publishes the keys of an OIDC issuer."""

    def log_message(self, *args):
        pass

    def do_POST(self):
        body = self.rfile.read(int(self.headers["content-length"]))
        deliveries.append((body, self.headers["X-Slipway-Signature"]))
        self.send_response(200)
        self.end_headers()

    def do_GET(self):
        if "openid-configuration" in self.path:
            answer = {"jwks_uri": issuer + "/keys"}
        else:
            asked.append(self.path)
            answer = {"keys": [{"kty": "OKP", "crv": "Ed25519", **published}]}
        text = json.dumps(answer).encode()
        self.send_response(200)
        self.send_header("content-length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)


published["x"] = url64(public)
outside = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Outside)
issuer = "http://127.0.0.1:%d" % outside.server_port
threading.Thread(target=outside.serve_forever, daemon=True).start()
server = subprocess.Popen([slipway, "registry", "serve", "-a", "127.0.0.1:0", "--port-file", "port",
                           "--data", "data"], stderr=open("log", "w"))
for _ in range(200):
    if os.path.exists("port"):
        break
    time.sleep(0.05)
registry = "http://127.0.0.1:" + open("port").read().strip()
admin = "admin:" + open("data/initial-admin-password").read().strip()
robot = "robot$rel:relpassword"


def request(method, path, body=None, kind="application/octet-stream", user=admin, token=None):
    r = urllib.request.Request(registry + path, data=body, method=method)
    r.add_header("Content-Type", kind)
    if token:
        r.add_header("Authorization", "Bearer " + token)
    elif user:
        r.add_header("Authorization", "Basic " + base64.b64encode(user.encode()).decode())
    try:
        with urllib.request.urlopen(r) as answer:
            return answer.status, answer.read()
    except urllib.error.HTTPError as e:
        return e.code, e.read()


def api(method, path, document, user=admin):
    return request(method, "/api/v1/" + path, json.dumps(document).encode(), "application/json", user)


def digest(data):
    return "sha256:" + hashlib.sha256(data).hexdigest()


MANIFEST = "application/vnd.oci.image.manifest.v1+json"


def push(repo, config, layer, tag=None, subject=None,
         config_type="application/vnd.oci.image.config.v1+json",
         layer_type="application/vnd.oci.image.layer.v1.tar"):
    for blob in (config, layer):
        request("POST", "/v2/%s/blobs/uploads/?digest=%s" % (repo, digest(blob)), blob)
    d = {"schemaVersion": 2, "mediaType": MANIFEST,
         "config": {"mediaType": config_type, "digest": digest(config), "size": len(config)},
         "layers": [{"mediaType": layer_type, "digest": digest(layer), "size": len(layer)}]}
    if subject:
        d["subject"] = {"mediaType": MANIFEST, "digest": subject, "size": 1}
    text = json.dumps(d).encode()
    reference = tag or digest(text)
    return digest(text), request("PUT", "/v2/%s/manifests/%s" % (repo, reference), text, MANIFEST)[0]


VERDICT = "https://example.org/verdict/v1"


def attest(image, verdict):
    statement = json.dumps({
        "_type": "https://in-toto.io/Statement/v1", "predicateType": VERDICT,
        "subject": [{"name": "image", "digest": {"sha256": image[7:]}}],
        "predicate": {"verdict": verdict}}).encode()
    kind = b"application/vnd.in-toto+json"
    signature = sign(b"DSSEv1 %d %s %d %s" % (len(kind), kind, len(statement), statement))
    envelope = json.dumps({
        "payloadType": kind.decode(), "payload": base64.b64encode(statement).decode(),
        "signatures": [{"sig": base64.b64encode(signature).decode()}]}).encode()
    return push("stage/app", b"{}", envelope, subject=image,
                config_type="application/vnd.oci.empty.v1+json",
                layer_type="application/vnd.dsse.envelope.v1+json")[1]


try:
    check("a robot that releases", api("POST", "accounts", {
        "name": "robot$rel", "robot": True, "password": "relpassword",
        "roles": [{"role": "releaser", "repositories": "prod/**"},
                  {"role": "viewer", "repositories": "stage/**"}]})[0], 201)
    check("a rule that wants a verdict", api("POST", "rules", {
        "kind": "attest", "repositories": "prod/**", "value": json.dumps({
            "predicate": VERDICT, "key": open("public.pem").read(),
            "where": {"verdict": "pass"}, "from": "stage/**"})})[0], 201)
    check("a webhook", api("POST", "hooks", {
        "url": issuer + "/hook", "secret": "s3cret", "repositories": "**",
        "events": "push,promote"})[0], 201)

    image, status = push("stage/app", b"config", b"layer", "1")
    check("push to staging", status, 201)

    def promote():
        return api("POST", "promote", {"from": "stage/app", "to": "prod/app", "digest": image,
                                       "tags": ["1"]}, robot)[0]

    check("no promotion without an attestation", promote(), 403)
    check("a verdict of failure", attest(image, "fail"), 201)
    check("no promotion with it", promote(), 403)
    check("a verdict of success", attest(image, "pass"), 201)
    check("promotion with it", promote(), 204)
    check("what was promoted is served", request("GET", "/v2/prod/app/manifests/1", user=robot)[0], 200)
    check("admins do not promote past the production rule", api("POST", "promote", {
        "from": "stage/app", "to": "prod/app", "digest": image})[0], 403)

    check("an issuer", api("POST", "issuers", {
        "issuer": issuer, "audience": "slipway", "robot": "robot$rel",
        "claims": {"repository": "acme/*"}})[0], 201)
    check("an issuer without claims is refused", api("POST", "issuers", {
        "issuer": issuer, "audience": "slipway", "robot": "robot$rel", "claims": {}})[0], 400)
    good = {"iss": issuer, "aud": "slipway", "exp": int(time.time()) + 60, "repository": "acme/app"}

    def exchange(claims, alg="EdDSA", kid="1", extra={}, signer=sign):
        text = url64(json.dumps({"alg": alg, "kid": kid, **extra}).encode()) + "." + \
            url64(json.dumps(claims).encode())
        form = urllib.parse.urlencode({
            "grant_type": "urn:ietf:params:oauth:grant-type:token-exchange",
            "subject_token": text + "." + url64(signer(text.encode())),
            "scope": "repository:stage/app:pull"}).encode()
        return request("POST", "/token", form, "application/x-www-form-urlencoded", user=None)

    status, answer = exchange(good)
    check("a token of the issuer is exchanged", status, 200)
    check("for one that pulls", request("GET", "/v2/stage/app/manifests/1",
                                        token=json.loads(answer)["token"])[0], 200)
    check("not for another repository's job", exchange({**good, "repository": "evil/app"})[0], 401)
    check("not for another audience", exchange({**good, "aud": "other"})[0], 401)
    check("not after its end", exchange({**good, "exp": 1})[0], 401)
    check("not for an algorithm of its choice", exchange(good, "none")[0], 401)
    pem = open("public.pem", "rb").read()
    for secret in (public, pem, url64(public).encode(), b""):
        check("a public key is no secret", exchange(
            good, "HS256", signer=lambda d: hmac.new(secret, d, "sha256").digest())[0], 401)
    for alg in ("ES256", "RS256", "eddsa", "", "None"):
        check("the key says the algorithm, not %r" % alg, exchange(good, alg)[0], 401)
    check("no signature is no signature", exchange(good, "none", signer=lambda d: b"")[0], 401)
    own = {"jwk": {"kty": "OKP", "crv": "Ed25519", "x": url64(bytes(32))}, "jku": issuer + "/evil"}
    check("keys in a header are not used", exchange(good, extra=own, signer=lambda d: bytes(64))[0], 401)
    check("what must be understood is not", exchange(good, extra={"crit": ["b64"]})[0], 401)
    check("a signature of something else", exchange(good, signer=lambda d: sign(d + b"."))[0], 401)
    check("the keys were asked for once", asked, ["/keys"])
    for i in range(20):
        exchange(good, kid="../../%d" % i)
    check("invented keys do not make us ask again and again", len(asked) <= 2, True)
    openssl("genpkey", "-algorithm", "ed25519", "-out", "key.pem")
    published.update(kid="2", x=url64(openssl("pkey", "-in", "key.pem", "-pubout", "-outform", "DER")[-32:]))
    for _ in range(60):
        if exchange(good, kid="2")[0] == 200:
            break
        time.sleep(0.5)
    check("an issuer changes its key", exchange(good, kid="2")[0], 200)
    check("after which the old one does not count", exchange(good, kid="1")[0], 401)
    openssl("genpkey", "-algorithm", "ed25519", "-out", "key.pem")
    check("nor a key that has only its name", exchange(good, kid="2")[0], 401)
    check("robots do not manage", request("GET", "/api/v1/accounts", user=robot)[0], 403)
    for _ in range(100):
        if len(deliveries) >= 4:
            break
        time.sleep(0.05)
    check("webhooks came", len(deliveries) >= 4, True)
    check("and are signed", all(s == "sha256=" + hmac.new(b"s3cret", b, "sha256").hexdigest()
                                for b, s in deliveries), True)
finally:
    server.terminate()
    server.wait()
    os.chdir("/")
    shutil.rmtree(work)
print("1..%d" % tests)
sys.exit(1 if failures else 0)
