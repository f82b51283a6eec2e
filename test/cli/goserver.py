"""A Go module proxy, checksum database and download site of toolchains that this file makes up.

goserver.py DIR: makes keys and archives in DIR, serves on 127.0.0.1, writes the port to DIR/port
and the verifier key to DIR/key. Paths may start with /f/FAULT[+FAULT...]/: see Handler.fault().
GET /count says how often each archive was asked for from its beginning.
"""
import base64, gzip, hashlib, http.server, io, json, os, random, struct, sys, tarfile, threading, time, zipfile

# ---- Ed25519 (RFC 8032, section 6), enough to sign ----
P = 2**255 - 19
L = 2**252 + 27742317777372353535851937790883648493
D = -121665 * pow(121666, P - 2, P) % P
def sha512(b): return int.from_bytes(hashlib.sha512(b).digest(), 'little')
def add(a, b):
    A, B = (a[1] - a[0]) * (b[1] - b[0]) % P, (a[1] + a[0]) * (b[1] + b[0]) % P
    C, E = 2 * a[3] * b[3] * D % P, 2 * a[2] * b[2] % P
    e, f, g, h = B - A, E - C, E + C, B + A
    return e * f % P, g * h % P, f * g % P, e * h % P
def mul(s, p):
    q = (0, 1, 1, 0)
    while s:
        if s & 1: q = add(q, p)
        p, s = add(p, p), s >> 1
    return q
GY = 4 * pow(5, P - 2, P) % P
def recover(y):
    x2 = (y * y - 1) * pow(D * y * y + 1, P - 2, P)
    x = pow(x2, (P + 3) // 8, P)
    if (x * x - x2) % P: x = x * pow(2, (P - 1) // 4, P) % P
    return P - x if x & 1 else x
GX = recover(GY)
G = (GX, GY, 1, GX * GY % P)
def compress(p):
    z = pow(p[2], P - 2, P)
    x, y = p[0] * z % P, p[1] * z % P
    return (y | (x & 1) << 255).to_bytes(32, 'little')
class Key:
    def __init__(self, name, seed):
        h = hashlib.sha512(seed).digest()
        a = int.from_bytes(h[:32], 'little') & ((1 << 254) - 8) | 1 << 254
        self.name, self.a, self.prefix, self.public = name, a, h[32:], compress(mul(a, G))
        algorithm = b'\1' + self.public
        self.id = hashlib.sha256(name.encode() + b'\n' + algorithm).digest()[:4]
        self.text = '%s+%s+%s' % (name, self.id.hex(), base64.b64encode(algorithm).decode())
    def sign(self, text):
        r = sha512(self.prefix + text) % L
        R = compress(mul(r, G))
        s = (r + sha512(R + self.public + text) * self.a) % L
        signature = self.id + R + s.to_bytes(32, 'little')
        return text + b'\n\xe2\x80\x94 %s %s\n' % (self.name.encode(), base64.b64encode(signature))

# ---- toolchains ----
MODULE, PLATFORM = 'golang.org/toolchain', 'linux-amd64'
if os.uname().machine == 'aarch64': PLATFORM = 'linux-arm64'
def module_version(v): return 'v0.0.1-go%s.%s' % (v, PLATFORM)
def tree(v):
    """Files of a toolchain: a go that knows its version and GOROOT, sources, and some bulk."""
    noise = random.Random('bulk').randbytes(3 << 20)
    own = random.Random(v).randbytes(1 << 20)
    go = ('#!/bin/sh\ncase "$1" in\nversion) echo "go version go%s %s" ;;\n'
          'env) [ "$2" = GOROOT ] && (cd "$(dirname "$(readlink -f "$0")")/.." && pwd -P) || '
          'printenv "$2" ;;\nesac\n' % (v, PLATFORM.replace('-', '/'))).encode()
    files = {'VERSION': ('go%s\ntime 2024-01-01T00:00:00Z\n' % v).encode(), 'bin/go': go,
             'bin/gofmt': b'#!/bin/sh\n', 'go.env': b'GOTOOLCHAIN=auto\n', 'src/go.mod': b'module std\n',
             'src/cmd/go.mod': b'module cmd\n', 'src/make.bash': b'#!/usr/bin/env bash\n',
             'pkg/tool/%s/compile' % PLATFORM.replace('-', '_'): b'\x7fELF' + own,
             'src/bulk/shared.bin': noise}
    for i in range(200): files['src/p%d/f.go' % i] = b'package p%d // common\n' % i
    return files
def make_zip(v, files, extra=()):
    out = io.BytesIO()
    with zipfile.ZipFile(out, 'w', zipfile.ZIP_DEFLATED) as z:
        for name in sorted(files):
            name_in = '/'.join(p for p in name.split('/')[:-1] + ['_go.mod' if name.endswith('go.mod') else name.split('/')[-1]])
            z.writestr(zipfile.ZipInfo('%s@%s/%s' % (MODULE, module_version(v), name_in)), files[name], zipfile.ZIP_DEFLATED)
        for name, data, attributes in extra:
            info = zipfile.ZipInfo(name)
            info.create_system, info.external_attr = 3, attributes << 16
            z.writestr(info, data, zipfile.ZIP_DEFLATED)
    return out.getvalue()
def make_tar(v, files, extra=()):
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode='w:gz', compresslevel=1) as t:
        for name in sorted(files) + ['doc/x.html']:
            info = tarfile.TarInfo('go/' + name)
            info.size, info.mode = len(files.get(name, b'doc')), 0o755 if files.get(name, b'').startswith((b'#!', b'\x7fELF')) else 0o644
            t.addfile(info, io.BytesIO(files.get(name, b'doc')))
        for info in extra: t.addfile(info, io.BytesIO(b'x' * info.size))
    return out.getvalue()
def h1(v, files):
    lines = []
    for name in files:
        parts = name.split('/')
        if parts[-1] == 'go.mod': parts[-1] = '_go.mod'
        lines.append(('%s@%s/%s' % (MODULE, module_version(v), '/'.join(parts)), hashlib.sha256(files[name]).hexdigest()))
    text = ''.join('%s  %s\n' % (digest, name) for name, digest in sorted(lines))
    return 'h1:' + base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()

# ---- the checksum database ----
def record_hash(b): return hashlib.sha256(b'\0' + b).digest()
def node_hash(l, r): return hashlib.sha256(b'\1' + l + r).digest()
class Database:
    def __init__(self, key, records):
        self.key, self.records = key, records
        self.leaves = [record_hash(r) for r in records]
    def tree(self, lo, hi):
        if hi - lo == 1: return self.leaves[lo]
        k = 1
        while k * 2 < hi - lo: k *= 2
        return node_hash(self.tree(lo, lo + k), self.tree(lo + k, hi))
    def head(self, n):
        return self.key.sign(b'go.sum database tree\n%d\n%s\n' % (n, base64.b64encode(self.tree(0, n))))
    def tile(self, level, number, width):
        span = 256 ** level
        first = number * 256
        return b''.join(self.tree((first + i) * span, (first + i + 1) * span) for i in range(width)
                        if (first + i + 1) * span <= len(self.leaves))

VERSIONS = ['1.13.15', '1.20', '1.20.14', '1.21.0', '1.21.6', '1.21.13', '1.22.2', '1.23rc1', '1.23.0']
class World:
    def __init__(self, fork=False):
        self.key = Key('sum.test', b'slipway test seed, not a secret!')
        self.trees = {v: tree(v) for v in VERSIONS}
        self.zips = {v: make_zip(v, self.trees[v]) for v in VERSIONS}
        self.tars = {v: make_tar(v, self.trees[v]) for v in VERSIONS}
        records = [b'example.com/m%d v1.0.0 h1:x=\nexample.com/m%d v1.0.0/go.mod h1:x=\n' % (i, i) for i in range(300)]
        self.ids = {}
        for v in VERSIONS:
            self.ids[v] = len(records)
            m = module_version(v)
            records.append(('%s %s %s\n%s %s/go.mod h1:x=\n' % (MODULE, m, h1(v, self.trees[v]), MODULE, m)).encode())
        self.db = Database(self.key, records)
        # Another history, signed with the same key: what an attacker inside would show.
        self.fork = Database(self.key, [b'evil\n'] + records[1:])
        forged = list(records)
        i = self.ids['1.21.6']
        forged[i] = forged[i].replace(b'h1:', b'h1:AA', 1)
        self.forged = Database(self.key, forged)
        self.counts = {}
        self.lock = threading.Lock()
        # Archives that must be refused.
        v = '1.22.2'
        prefix = '%s@%s/' % (MODULE, module_version(v))
        self.bad = {
            'traverse': make_zip(v, self.trees[v], [(prefix + '../../../evil', b'x', 0o644)]),
            'absolute': make_zip(v, self.trees[v], [('/etc/evil', b'x', 0o644)]),
            'outside': make_zip(v, self.trees[v], [('other@v1/evil', b'x', 0o644)]),
            'link': make_zip(v, self.trees[v], [(prefix + 'link', b'/etc/passwd', 0o120777)]),
            'bomb': make_zip(v, self.trees[v], [(prefix + 'zeros', bytes(600 << 20), 0o644)]) if os.environ.get('GOSERVER_BOMB') else b'',
        }
        def link(name, target, kind):
            t = tarfile.TarInfo(name)
            t.type, t.linkname = kind, target
            return t
        self.bad_tars = {
            'traverse': make_tar(v, self.trees[v], [tarfile.TarInfo('go/../../evil')]),
            'absolute': make_tar(v, self.trees[v], [tarfile.TarInfo('/etc/evil')]),
            'outside': make_tar(v, self.trees[v], [tarfile.TarInfo('evil')]),
            'link': make_tar(v, self.trees[v], [link('go/link', '/etc', tarfile.SYMTYPE), tarfile.TarInfo('go/link/evil')]),
            'hardlink': make_tar(v, self.trees[v], [link('go/hard', '/etc/passwd', tarfile.LNKTYPE)]),
        }
    def index(self, tamper=False):
        out = []
        for v in reversed(VERSIONS):
            name = 'go%s.%s.tar.gz' % (v, PLATFORM)
            digest = hashlib.sha256(self.tars[v]).hexdigest()
            if tamper: digest = ('0' if digest[0] != '0' else '1') + digest[1:]
            out.append({'version': 'go' + v, 'stable': 'rc' not in v, 'files': [
                {'filename': 'go%s.src.tar.gz' % v, 'os': '', 'arch': '', 'version': 'go' + v, 'sha256': '0' * 64, 'size': 1, 'kind': 'source'},
                {'filename': name, 'os': 'linux', 'arch': PLATFORM[6:], 'version': 'go' + v, 'sha256': digest, 'size': len(self.tars[v]), 'kind': 'archive'}]})
        return json.dumps(out).encode()

class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = 'HTTP/1.1'
    def log_message(self, *a): pass
    def send(self, status, body, headers=()):
        self.send_response(status)
        for h in headers: self.send_header(*h)
        self.send_header('Content-Length', str(len(body)))
        self.end_headers()
        self.wfile.write(body)
    def times(self, what):
        with W.lock:
            W.counts[what] = W.counts.get(what, 0) + 1
            return W.counts[what]
    def archive(self, name, body):
        """An archive with ranges, and what the faults do to it."""
        start, end, status = 0, len(body), 200
        asked = self.headers.get('Range')
        if asked and 'norange' not in self.faults:
            a, b = asked[6:].split('-')
            start, end, status = int(a), int(b) + 1 if b else len(body), 206
            if start >= len(body): return self.send(416, b'')
        if start == 0: self.times(name)
        n = self.times('all:' + name)
        if 'slow' in self.faults: time.sleep(0.5)
        if '429' in self.faults and n <= 2: return self.send(429, b'slow down', [('Retry-After', '1')])
        if '503' in self.faults and n <= 2: return self.send(503, b'busy')
        if '503always' in self.faults: return self.send(503, b'busy', [('Retry-After', '9999')])
        if 'flip' in self.faults:
            body = bytearray(body)
            body[int(self.option) if self.option else len(body) // 2] ^= 1
            body = bytes(body)
        part = body[start:end]
        self.send_response(status)
        if status == 206: self.send_header('Content-Range', 'bytes %d-%d/%d' % (start, end - 1, len(body)))
        if 'etag' in self.faults: self.send_header('ETag', '"%s"' % hashlib.sha256(body).hexdigest()[:16])
        length = len(part)
        if 'lielong' in self.faults: length += 1000
        if 'lieshort' in self.faults: length = max(0, length - 1000)
        self.send_header('Content-Length', str(length))
        self.end_headers()
        cut = None
        if 'close' in self.faults and n <= 3: cut = max(1, len(part) // 3)
        if 'stall' in self.faults and n <= 2: cut = max(1, len(part) // 2)
        if 'die' in self.faults: cut = len(part) // 2
        if 'drip' in self.faults:
            for i in range(0, len(part), 65536):
                self.wfile.write(part[i:i + 65536])
                time.sleep(0.02)
            return
        self.wfile.write(part[:cut])
        if cut is not None or 'lielong' in self.faults:
            self.wfile.flush()
            if 'stall' in self.faults and n <= 2: time.sleep(4)
            self.close_connection = True
    def sumdb(self, path):
        db, n = W.db, len(W.db.records)
        if 'fork' in self.faults: db = W.fork
        if 'forged' in self.faults: db = W.forged
        if 'old' in self.faults: n = W.ids['1.21.6'] + 1
        if path == 'supported': return self.send(200, b'')
        if path == 'latest': return self.send(200, db.head(n))
        if path.startswith('lookup/'):
            for v in VERSIONS:
                if path != 'lookup/%s@%s' % (MODULE, module_version(v)): continue
                record = db.records[W.ids[v]]
                if 'forgedline' in self.faults: record = record.replace(b'h1:', b'h1:AA', 1)
                head = db.head(n)
                if 'badsig' in self.faults: head = head[:-8] + (b'AAAA' if head[-8:-4] != b'AAAA' else b'BBBB') + head[-4:]
                if 'badkey' in self.faults: head = Key('sum.test', b'another seed').sign(head.split(b'\n\n')[0] + b'\n')
                return self.send(200, b'%d\n%s\n%s' % (W.ids[v], record, head))
        if path.startswith('tile/8/'):
            parts = path.split('/')
            width = 256
            if parts[-2].endswith('.p'):
                width = int(parts.pop())
                parts[-1] = parts[-1][:-2]
            number = int(''.join(p.lstrip('x') for p in parts[3:]))
            tile = db.tile(int(parts[2]), number, width)
            if 'badtile' in self.faults: tile = bytes([tile[0] ^ 1]) + tile[1:]
            if len(tile) == width * 32: return self.send(200, tile)
        return self.send(404, b'not found')
    def do_GET(self):
        path = self.path.split('?')[0]
        self.faults, self.option = set(), ''
        if path.startswith('/f/'):
            faults, path = path[3:].split('/', 1)
            self.faults = set(f.split('=')[0] for f in faults.split("+"))
            self.option = ''.join(f.split('=')[1] for f in faults.split("+") if '=' in f)
            path = '/' + path
        if path == '/count': return self.send(200, json.dumps(W.counts).encode())
        if path == '/reset':
            W.counts.clear()
            return self.send(200, b'')
        if path.startswith('/proxy/sumdb/sum.test/'):
            if 'nosumdb' in self.faults: return self.send(404, b'')
            return self.sumdb(path[len('/proxy/sumdb/sum.test/'):])
        if path.startswith('/sum/'): return self.sumdb(path[5:])
        base = '/proxy/%s/@v/' % MODULE
        if path == base + 'list':
            return self.send(200, ''.join(module_version(v) + '\n' for v in VERSIONS).encode() + b'v0.0.1-go1.99.0.plan9-mips\n')
        if path.startswith(base) and path.endswith('.zip'):
            for v in VERSIONS:
                if path == base + module_version(v) + '.zip':
                    bad = [W.bad[f] for f in self.faults if f in W.bad]
                    return self.archive('zip ' + v, bad[0] if bad else W.zips[v])
        if path == '/dl/': return self.send(200, W.index('tamper' in self.faults))
        if path.startswith('/dl/'):
            for v in VERSIONS:
                if path == '/dl/go%s.%s.tar.gz' % (v, PLATFORM):
                    bad = [W.bad_tars[f] for f in self.faults if f in W.bad_tars]
                    return self.archive('tar ' + v, bad[0] if bad else W.tars[v])
        self.send(500 if '500' in self.faults else 404, b'not found')

if __name__ == '__main__':
    where = sys.argv[1]
    W = World()
    server = http.server.ThreadingHTTPServer(('127.0.0.1', 0), Handler)
    server.daemon_threads = True
    for v in VERSIONS:
        with open('%s/%s.zip' % (where, module_version(v)), 'wb') as f: f.write(W.zips[v])
        with open('%s/go%s.%s.tar.gz' % (where, v, PLATFORM), 'wb') as f: f.write(W.tars[v])
    with open(where + '/key', 'w') as f: f.write(W.key.text)
    with open(where + '/port.new', 'w') as f: f.write(str(server.server_address[1]))
    os.rename(where + '/port.new', where + '/port')
    server.serve_forever()
