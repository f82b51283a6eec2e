# See scan-packages.t, which starts this.
import glob, json, os, random, re, shutil, sqlite3, struct, subprocess, sys, zlib

slipway, tmp = os.environ["SLIPWAY"], sys.argv[1]
number = failed = 0
FORMS = {"Packages": "bdb_ro", "Packages.db": "ndb", "rpmdb.sqlite": "sqlite"}


def result(good, text, *notes):
    global number, failed
    number += 1
    failed += not good
    print(f"{'ok' if good else 'not ok'} {number} - {text}", flush=True)
    for note in notes:
        print(f"# {note}")


def skip(text, why):
    global number
    number += 1
    print(f"ok {number} - {text} # SKIP {why}", flush=True)


def run(*argv, **more):
    return subprocess.run(argv, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, errors="replace", **more)


def scan(root, form, *more):
    p = run(slipway, "scan", "--quiet", "--rootfs", root, "--no-advisories", "--format", form, *more)
    if p.returncode not in (0, 10, 11):
        raise SystemExit(f"slipway scan ended with {p.returncode}: {p.stderr}")
    return json.loads(p.stdout)


def ours(root):
    """name, epoch:version-release, arch, source, its version"""
    found = []
    for target in scan(root, "trivy", "--list-all-pkgs")["Results"]:
        for p in target.get("Packages", []):
            version = p["Version"] if ":" in p["Version"] else "0:" + p["Version"]
            found.append((p["Name"], version, p.get("Arch", ""), p["SrcName"], p["SrcVersion"]))
    return sorted(found)


def rpm_qa(dbpath, backend):
    # rpm may write beside what it reads.
    copy = os.path.join(tmp, "copy")
    shutil.rmtree(copy, ignore_errors=True)
    shutil.copytree(dbpath, copy, copy_function=shutil.copyfile)
    form = "%{NAME}\t%{EPOCHNUM}:%{VERSION}-%{RELEASE}\t%{ARCH}\t%{SOURCERPM}\n"
    p = run("rpm", "--define", f"_db_backend {backend}", "--dbpath", copy, "-qa", "--qf", form)
    found = []
    for line in p.stdout.splitlines():
        name, version, arch, source = line.split("\t")
        if name == "gpg-pubkey":
            continue
        parts = source.rsplit(".", 2)[0].rsplit("-", 2)
        found.append((name, version, arch, parts[0], "-".join(parts[1:])))
    return sorted(found)


def compare(text, mine, theirs):
    notes = [f"only the original: {x}" for x in theirs if x not in mine]
    notes += [f"only slipway: {x}" for x in mine if x not in theirs]
    result(theirs and mine == theirs, f"{text}: {len(theirs)} packages", *notes[:10])


def new_root(name, files):
    root = os.path.join(tmp, name)
    shutil.rmtree(root, ignore_errors=True)
    os.makedirs(root + "/var/lib/rpm")
    for file, content in files.items():
        with open(f"{root}/var/lib/rpm/{file}", "wb") as f:
            f.write(content)
    return root


# --- rpm: one set of packages in all forms ---------------------------------------------------------

SPEC = """%global debug_package %{nil}
Name: lead
Epoch: 2
Version: 1.0~rc1
Release: 3^git5.el9
Summary: s
License: MIT
%description
d
"""


def build_rpms():
    """60 small packages, one with a header of some hundred KiB, epochs, a second build."""
    spec = SPEC
    for i in range(60):
        spec += f"%package -n part-{i}\nSummary: s\nVersion: {i}.{i * i}\n"
        spec += ("Epoch: %d\n" % (i % 3)) + ("BuildArch: noarch\n" if i % 2 else "")
        spec += f"%description -n part-{i}\n{'words ' * (i * 11)}\n%files -n part-{i}\n"
    spec += "%install\nmkdir -p %{buildroot}/opt/f\n"
    spec += "for i in $(seq 1500); do :>%{buildroot}/opt/f/a-name-long-enough-that-headers-grow-$i; done\n"
    spec += "%files\n/opt/f\n"
    for file, text in (("a.spec", spec), ("b.spec", SPEC.replace("lead", "c++-x").replace("Epoch: 2\n", "") + "%files\n")):
        with open(f"{tmp}/{file}", "w") as f:
            f.write(text)
        p = run("rpmbuild", "-bb", "--define", f"_topdir {tmp}/top", f"{tmp}/{file}")
        if p.returncode:
            raise SystemExit(f"rpmbuild: {p.stderr}")
    return sorted(glob.glob(f"{tmp}/top/RPMS/*/*.rpm"))


def install(rpms, backend):
    """The directory of the database, or None where rpm cannot write this form."""
    root = f"{tmp}/made-{backend}"
    os.makedirs(root)
    p = run("rpm", "--root", root, "--define", f"_db_backend {backend}", "--define", "_dbpath /var/lib/rpm",
            "-i", "--justdb", "--nodeps", "--ignorearch", "--ignoreos", "--nosignature", *rpms)
    file = [k for k, v in FORMS.items() if v == backend][0]
    made = os.path.exists(f"{root}/var/lib/rpm/{file}")
    if p.returncode and made:
        raise SystemExit(f"rpm -i: {p.stderr}")
    return root + "/var/lib/rpm" if made else None


def read(path):
    with open(path, "rb") as f:
        return f.read()


def headers(database):
    with sqlite3.connect(database) as db:
        return db.execute("SELECT hnum, blob FROM Packages ORDER BY hnum").fetchall()


def make_bdb(rows, page_size, order):
    """Packages, through BerkeleyDB's own loader."""
    key = "<I" if order == 1234 else ">I"
    text = "VERSION=3\nformat=bytevalue\ntype=hash\nHEADER=END\n"
    for n, blob in [(0, struct.pack(key, rows[-1][0]))] + rows:
        text += f" {struct.pack(key, n).hex()}\n {blob.hex()}\n"
    path = f"{tmp}/Packages"
    if os.path.exists(path):
        os.unlink(path)
    p = run("db5.3_load", "-c", f"db_pagesize={page_size}", "-c", f"db_lorder={order}", path, input=text + "DATA=END\n")
    if p.returncode:
        raise SystemExit(f"db5.3_load: {p.stderr}")
    return read(path)


def make_ndb(rows):
    """Packages.db as docs/format/rpm-database.md has it, for an rpm that cannot write one."""
    pages = (len(rows) + 2 + 255) // 256 + 1
    slots, blobs = [], b""
    for n, blob in rows:
        size = (16 + len(blob) + 12 + 15) // 16
        slots.append(struct.pack("<4sIII", b"Slot", n, pages * 256 + len(blobs) // 16, size))
        body = (struct.pack("<4sIII", b"BlbS", n, 7, len(blob)) + blob).ljust(size * 16 - 12, b"\0")
        blobs += body + struct.pack("<II4s", zlib.adler32(body), len(blob), b"BlbE")
    slots += [struct.pack("<4sIII", b"Slot", 0, 0, 0)] * (pages * 256 - 2 - len(slots))
    head = struct.pack("<4sIIII", b"RpmP", 0, 9, pages, rows[-1][0] + 1).ljust(32, b"\0")
    return head + b"".join(slots) + blobs


def with_log(dbpath, remove):
    """The database and its write-ahead log, with packages removed in the log only."""
    path = f"{tmp}/logged.sqlite"
    shutil.copyfile(dbpath + "/rpmdb.sqlite", path)
    db = sqlite3.connect(path)
    db.execute("PRAGMA journal_mode=WAL")
    db.execute("PRAGMA wal_autocheckpoint=0")
    for (n,) in db.execute(f"SELECT hnum FROM Packages LIMIT {remove}").fetchall():
        db.execute("DELETE FROM Packages WHERE hnum = ?", (n,))
        db.execute("DELETE FROM Name WHERE hnum = ?", (n,))
        db.commit()
    files = {"rpmdb.sqlite": read(path), "rpmdb.sqlite-wal": read(path + "-wal")}
    db.close()
    return files


# --- damage ----------------------------------------------------------------------------------------


def damages(content, seed):
    """Copies cut, with a byte changed (half of them where pages have their headers), with a page of
    zeros, with two pages exchanged."""
    r = random.Random(seed)
    for at in [r.randrange(len(content)) for _ in range(20)] + [len(content) // 4096 // 2 * 4096]:
        yield f"cut to {at} bytes", content[:at]
    for i in range(120):
        at = r.randrange(len(content))
        if i % 2:
            at = min(at // 512 * 512 + r.randrange(48), len(content) - 1)
        if i % 5 == 0:
            at = r.randrange(8192)
        bit = 1 << r.randrange(8)
        yield f"byte {at} ^ {bit}", content[:at] + bytes([content[at] ^ bit]) + content[at + 1:]
    for _ in range(20):
        at = r.randrange(len(content)) // 4096 * 4096
        yield f"page at {at} zeroed", content[:at] + bytes(len(content[at:at + 4096])) + content[at + 4096:]
    for _ in range(20):
        n = len(content) // 4096
        x, y = sorted(r.sample(range(n), 2))
        pages = [content[i:i + 4096] for i in range(0, len(content), 4096)]
        pages[x], pages[y] = pages[y], pages[x]
        yield f"pages {x} and {y} exchanged", b"".join(pages)


def check_damage(text, files, which, count):
    bad, refused, n = [], 0, 0
    for what, content in damages(files[which], int(os.environ.get("SEED", "1"))):
        root = new_root("damaged", {**files, which: content})
        report = scan(root, "json")
        problems = [a["problem"] for a in report["artifacts"] if a.get("problem")]
        n += 1
        refused += bool(problems)
        if problems and report["verdict"] != "cannot-tell":
            bad.append(f"{what}: {problems[0]}, and the verdict is {report['verdict']}")
        found = sum(a["packages"] for a in report["artifacts"])
        if not problems and found < count:
            bad.append(f"{what}: {found} packages of {count} without a word")
    result(not bad, f"{text}: {n} damaged copies lose no package in silence, {refused} are refused", *bad[:10])


def rpm_forms():
    for program in ("rpm", "rpmbuild"):
        if not shutil.which(program):
            return skip("rpm's databases", f"{program} is not installed")
    rpms = build_rpms()
    dbpath = install(rpms, "sqlite")
    if not dbpath:
        return skip("rpm's databases", "this rpm cannot write SQLite")
    theirs = rpm_qa(dbpath, "sqlite")
    result(len(theirs) == len(rpms), f"rpm -qa knows all {len(rpms)} packages")
    whole = {"rpmdb.sqlite": read(dbpath + "/rpmdb.sqlite")}
    compare("SQLite", ours(new_root("root", whole)), theirs)
    check_damage("SQLite", whole, "rpmdb.sqlite", len(theirs))
    logged = with_log(dbpath, 5)
    root = new_root("root", logged)
    compare("SQLite with a log", ours(root), rpm_qa(root + "/var/lib/rpm", "sqlite"))
    # Packages that the log removes are there without it: what it may not do is remove others.
    check_damage("the log of SQLite", logged, "rpmdb.sqlite-wal", len(theirs) - 5)
    rows = headers(dbpath + "/rpmdb.sqlite")
    own = install(rpms, "ndb")
    ndb = {"Packages.db": read(own + "/Packages.db") if own else make_ndb(rows)}
    said = rpm_qa(own, "ndb") if own else theirs
    compare("ndb" if own else "ndb, not written by rpm", ours(new_root("root", ndb)), said)
    check_damage("ndb", ndb, "Packages.db", len(theirs))
    if not shutil.which("db5.3_load"):
        return skip("BerkeleyDB", "db5.3_load is not installed")
    for page_size, order in ((512, 1234), (4096, 1234), (4096, 4321), (65536, 1234)):
        bdb = {"Packages": make_bdb(rows, page_size, order)}
        root = new_root("root", bdb)
        said = rpm_qa(root + "/var/lib/rpm", "bdb_ro")
        text = f"BerkeleyDB, pages of {page_size}, {'big' if order == 4321 else 'little'} endian"
        # An rpm without bdb_ro says nothing; the packages are the same.
        compare(text + ("" if said else ", rpm cannot read it"), ours(root), said or theirs)
        if page_size <= 4096:
            check_damage(text, bdb, "Packages", len(theirs))


def real_databases():
    where = os.environ.get("RPM_DATABASES")
    if not where or not shutil.which("rpm"):
        return skip("rpm databases of real systems", "RPM_DATABASES or rpm is missing")
    for path in sorted(glob.glob(where + "/*")):
        files = {k: read(f"{path}/{k}") for k in FORMS if os.path.exists(f"{path}/{k}")}
        for file in files:
            root = new_root("root", {file: files[file]})
            said = rpm_qa(root + "/var/lib/rpm", FORMS[file])
            if said:
                compare(os.path.basename(path), ours(root), said)
            else:
                skip(os.path.basename(path), f"this rpm reads no {FORMS[file]}")
            check_damage(os.path.basename(path), {file: files[file]}, file, len(ours(root)))


# --- Debian, Alpine --------------------------------------------------------------------------------


def debian_root():
    if not shutil.which("mmdebstrap") or not shutil.which("dpkg-query"):
        return skip("a Debian root", "mmdebstrap is not installed")
    root = tmp + "/debian"
    release = re.search(r'^VERSION_CODENAME="?(\w+)', open("/etc/os-release").read(), re.M)
    p = run("mmdebstrap", "--variant=minbase", "--quiet", release.group(1) if release else "stable", root)
    if p.returncode:
        return skip("a Debian root", "mmdebstrap cannot make one: " + p.stderr.strip().splitlines()[-1][:90])
    form = "${Package}\t${Version}\t${Architecture}\t${source:Package}\t${source:Version}\t${db:Status-Status}\n"
    theirs = []
    for line in run("dpkg-query", f"--admindir={root}/var/lib/dpkg", "-W", "-f", form).stdout.splitlines():
        *p, state = line.split("\t")
        if state not in ("config-files", "not-installed"):
            theirs.append(tuple([p[0], p[1] if ":" in p[1] else "0:" + p[1]] + p[2:]))
    compare("a Debian root and dpkg-query", ours(root), sorted(theirs))


def alpine_databases():
    where = os.environ.get("APK_DATABASES")
    if not where:
        return skip("installed files of Alpine", "APK_DATABASES is not given")
    program = """function out() { if ("P" in f) print f["P"] "\\t0:" f["V"] "\\t" f["A"] "\\t" (("o" in f) ? f["o"] : f["P"]) "\\t" f["V"]; split("", f) }
        /^$/ { out() }  /./ { f[substr($0, 1, 1)] = substr($0, 3) }  END { out() }"""
    for path in sorted(glob.glob(where + "/*")):
        root = tmp + "/alpine"
        os.makedirs(root + "/lib/apk/db", exist_ok=True)
        shutil.copyfile(path, root + "/lib/apk/db/installed")
        theirs = [tuple(x.split("\t")) for x in run("awk", program, path).stdout.splitlines()]
        compare(os.path.basename(path), ours(root), sorted(theirs))


parts = {"rpm": rpm_forms, "real": real_databases, "debian": debian_root, "alpine": alpine_databases}
for part in sys.argv[2:] or parts:
    parts[part]()
print(f"1..{number}")
sys.exit(failed != 0)
