"""The work of scan-go-releases.t: SLIPWAY VERSIONS-DIRECTORY WORK-DIRECTORY, TAP on stdout."""
import concurrent.futures, json, os, re, shutil, subprocess, sys

slipway, versions, work = sys.argv[1:4]
number = failures = 0
GO_MOD = """module example.org/app

go 1.13

require (
\texample.org/local v0.1.0
\texample.org/quote v1.0.0
\tgithub.com/inconshreveable/mousetrap v1.0.0
)

replace example.org/local => ./local

replace example.org/quote => github.com/kballard/go-shellquote v0.0.0-20180428030007-95032a82bc51
"""
# Few packages of the standard library: each of them is compiled a hundred times.
MAIN = """package main

import (
\t"example.org/local"
\t"example.org/quote"
\t"github.com/inconshreveable/mousetrap"
)

var words = "a b"

func main() {
\tx, err := shellquote.Split(words)
\tprintln(len(x), err == nil, local.Name(), mousetrap.StartedByExplorer())
}
"""


def ok(good, name, *why):
    global number, failures
    number += 1
    failures += not good
    print(("ok" if good else "not ok"), number, "-", name, flush=True)
    for line in [] if good else why:
        print("#", line)


def skip(name, why):
    global number
    number += 1
    print(f"ok {number} - {name} # SKIP {why}", flush=True)


def write(path, text):
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, "w") as f:
        f.write(text)


def minor(release):
    return tuple(int(n) for n in re.match(r"go(\d+)\.(\d+)", release).groups())


def run(args, **more):
    return subprocess.run(["nice"] + args, capture_output=True, text=True, **more)


def go(release, args, cwd, **env):
    environment = dict(os.environ, GOTOOLCHAIN="local", GOCACHE=f"{work}/cache/{release}",
                       GOPATH=f"{work}/gopath", GOFLAGS="", CGO_ENABLED="0", GOENV="off", **{})
    environment.update(env)
    return run([f"{versions}/{release}/bin/go"] + args, cwd=cwd, env=environment)


def scan(directory, *more):
    """What slipway says of each program below a directory: {path: reading}; and its exit status."""
    args = [slipway, "scan", "--quiet", "--no-advisories", "--no-cache", "--rootfs", directory]
    report = run(args + ["--format", "json"])
    packages = run(args + ["--format", "trivy", "--list-all-pkgs"])
    if report.returncode not in (0, 10, 11) or packages.returncode not in (0, 10, 11):
        return {}, f"status {report.returncode}, {packages.returncode}: {report.stderr}{packages.stderr}"
    found = {}
    document = json.loads(report.stdout)
    for x in document["artifacts"]:
        found[x["path"]] = {"go": x.get("goVersion", ""), "main": x.get("main", ""), "format": x.get("format"),
                            "settings": x.get("settings", {}), "problem": x.get("problem", ""), "packages": []}
    for d in document["doubts"]:
        if d["kind"] != "go-end-of-life" and d.get("path") in found:
            found[d["path"]].setdefault("doubts", []).append(d["text"])
    for r in json.loads(packages.stdout).get("Results", []):
        if r["Target"] in found:
            found[r["Target"]]["packages"] = sorted(
                (p["Name"], p.get("Version", ""), p.get("SrcName", ""), p.get("SrcVersion", ""))
                for p in r.get("Packages", []) if p["Name"] != "stdlib")
    return found, document["verdict"]


def reference(path):
    """The same of go version -m; None where it reads nothing."""
    said = go(newest, ["version", "-m", "-json", path], work)
    try:
        info = json.loads(said.stdout)
    except ValueError:
        return None
    if isinstance(info, list):
        if not info:
            return None
        info = info[0]
    packages = []
    main = info.get("Main") or {}
    for m in ([main] if main.get("Path") else []) + (info.get("Deps") or []):
        instead = m.get("Replace")
        packages.append((instead["Path"], instead.get("Version", ""), m["Path"], m.get("Version", "")) if instead
                        else (m["Path"], m.get("Version", ""), "", ""))
    version = info["GoVersion"]
    return {"go": version if version.startswith("devel") else re.split(r" |-X:|\(", version)[0],
            "main": info.get("Path", ""), "packages": sorted(packages),
            "settings": {s["Key"]: s.get("Value", "") for s in info.get("Settings") or []}}


def differences(theirs, ours):
    return [f"{key}: go has {theirs[key]!r}, slipway {ours[key]!r}" for key in theirs if theirs[key] != ours[key]]


def prepare():
    write(f"{work}/app/go.mod", GO_MOD)
    write(f"{work}/app/main.go", MAIN)
    write(f"{work}/app/local/go.mod", "module example.org/local\n\ngo 1.13\n")
    write(f"{work}/app/local/local.go", 'package local\n\nfunc Name() string { return "name" }\n')
    for args in (["mod", "tidy"], ["mod", "vendor"]):
        done = go(newest, args, f"{work}/app")
        if done.returncode:
            print("1..0 # SKIP the modules cannot be fetched:", done.stderr.strip().splitlines()[-1])
            sys.exit(0)
    shutil.copytree(f"{work}/app", f"{work}/vendored")
    shutil.rmtree(f"{work}/app/vendor")
    # The main module gets its version from a tag.
    shutil.copytree(f"{work}/app", f"{work}/tagged")
    git = ["git", "-c", "user.name=t", "-c", "user.email=t@example.org", "-c", "init.defaultBranch=main"]
    for args in (["init", "-q"], ["add", "."], ["commit", "-qm", "one"], ["tag", "v1.4.2"]):
        run(git + args, cwd=f"{work}/tagged")
    shutil.copytree(f"{work}/app", f"{work}/cgo")
    write(f"{work}/cgo/c.go", "package main\n\n// static int one(void) { return 1; }\nimport \"C\"\n\nfunc init() { words += string(rune(64 + C.one())) }\n")
    write(f"{work}/gopath/src/example.org/app/main.go", 'package main\n\nimport "example.org/lib"\n\nfunc main() { println(lib.Name()) }\n')
    write(f"{work}/gopath/src/example.org/lib/lib.go", 'package lib\n\nfunc Name() string { return "lib" }\n')


def ways(release):
    """(name, directory, arguments, environment) of each build of a release."""
    at = minor(release)
    main = [("plain", "app", [], {}), ("pie-trimpath", "app", ["-buildmode=pie", "-trimpath"], {}),
            ("stripped", "app", ["-ldflags", "-s -w"], {}),
            ("flags", "app", ["-ldflags", "-X 'main.words=a \"b\" \\ c\tä\x01'", "-tags", "x,y"], {})]
    if at >= (1, 18):
        main.append(("tagged", "tagged", ["-buildvcs=true"], {}))
    if at < (1, 22):
        main.append(("gopath-mode", "gopath/src/example.org/app", [], {"GO111MODULE": "off"}))
    if release not in thorough:
        return main
    for name in ("windows-amd64", "darwin-amd64", "darwin-arm64", "linux-arm64", "linux-386", "linux-s390x"):
        system, machine = name.split("-")
        main.append((name, "app", [], {"GOOS": system, "GOARCH": machine}))
    main.append(("windows-stripped", "app", ["-ldflags", "-s -w"], {"GOOS": "windows", "GOARCH": "amd64"}))
    main.append(("vendored", "vendored", ["-mod=vendor"], {}))
    main.append(("experiment", "app", [], {"GOEXPERIMENT": "fieldtrack"}))
    if shutil.which("gcc"):
        main.append(("cgo", "cgo", [], {"CGO_ENABLED": "1"}))
        main.append(("cgo-pie", "cgo", ["-buildmode=pie", "-trimpath"], {"CGO_ENABLED": "1"}))
        main.append(("trimpath", "app", ["-trimpath"], {}))
        main.append(("race", "app", ["-race"], {"CGO_ENABLED": "1"}))
    return main


def build_release(release):
    missing = []
    for name, directory, args, env in ways(release):
        done = go(release, ["build", "-p", "1", "-o", f"{work}/bin/{release}.{name}"] + args + ["."], f"{work}/{directory}", **env)
        if done.returncode:
            missing.append(f"{name}: {(done.stderr.strip() or str(done.returncode)).splitlines()[-1]}")
    shutil.rmtree(f"{work}/cache/{release}", ignore_errors=True)
    return missing


def build():
    with concurrent.futures.ThreadPoolExecutor(2) as pool:
        for release, missing in zip(releases, pool.map(build_release, releases)):
            ok(not missing, f"{release}: {len(ways(release))} programs are built", *missing)


def compare():
    found, said = scan(f"{work}/bin")
    for release in releases:
        wrong, n = [], 0
        for name in sorted(os.listdir(f"{work}/bin")):
            if not name.startswith(release + "."):
                continue
            n += 1
            theirs, ours = reference(f"{work}/bin/{name}"), found.get(name)
            if ours is None or theirs is None:
                wrong.append(f"{name}: go {'reads' if theirs else 'reads not'}, slipway {'reads' if ours else said}")
                continue
            wrong += [f"{name}: {d}" for d in differences(theirs, ours)]
            if ours["problem"]:
                wrong.append(f"{name}: {ours['problem']}")
            unsaid = not ours["packages"] and not ours.get("doubts")
            if unsaid or (name.endswith("gopath-mode") and not ours.get("doubts")):
                wrong.append(f"{name}: nothing says that its modules are unknown")
            if not name.endswith("gopath-mode") and len(ours["packages"]) != 4:
                wrong.append(f"{name}: {ours['packages']}")
        ok(n and not wrong, f"{release}: {n} programs are read as go version -m reads them", *wrong)
    return found


def judge(directory, name, whole, as_go_reads):
    """Damaged files: each says that something is wrong, or nothing of it is lost."""
    found, said = scan(directory)
    silent, stated = [], 0
    if not found:
        silent.append(said)
    for file in sorted(os.listdir(directory)):
        ours = found.get(file)
        if ours is None:
            silent.append(f"{file}: not mentioned")
            continue
        if ours["problem"] or ours.get("doubts"):
            stated += 1
            continue
        theirs = reference(f"{directory}/{file}") if as_go_reads else whole
        if theirs is None or differences({k: theirs[k] for k in ("go", "packages")}, ours):
            silent.append(f"{file}: {theirs}, slipway {ours}")
        elif len(ours["packages"]) != len(whole["packages"]):
            silent.append(f"{file}: only {ours['packages']}")
    ok(not silent and stated, f"{name}: of {len(os.listdir(directory))} {stated} are doubted, none is passed over", *silent[:10])
    shutil.rmtree(directory)


def cut(found):
    for name in damaged:
        with open(f"{work}/bin/{name}", "rb") as f:
            content = f.read()
        directory = f"{work}/cut"
        os.makedirs(directory)
        for i in range(1, 31):
            with open(f"{directory}/cut{i:02}", "wb") as f:
                f.write(content[:len(content) * i // 31])
        judge(directory, f"{name}, cut at 30 places", found[name], False)


def flip(found):
    for name in damaged:
        with open(f"{work}/bin/{name}", "rb") as f:
            content = f.read()
        # The header is aligned; the magic as a constant in the code of a reader is not it.
        head = next(m.start() for m in re.finditer(rb"\xff Go buildinf:[\x04\x08]", content) if m.start() % 16 == 0)
        text = content.find(bytes.fromhex("3077af0c9274080241e1c107e6d618e6"))
        places = list(range(head, head + 48)) + list(range(text, min(text + 700, content.find(bytes.fromhex("f932433186182072008242104116d8f2"), text) + 16), 5))
        directory = f"{work}/flip"
        os.makedirs(directory)
        for place in places:
            for bit in (1,) if place >= head + 32 else (1, 0x80):
                damage = bytearray(content)
                damage[place] ^= bit
                with open(f"{directory}/at{place - head}-{bit}", "wb") as f:
                    f.write(damage)
        judge(directory, f"{name}, a byte changed", found[name], True)


def pack():
    if not shutil.which("upx"):
        return skip("packed programs are refused with words", "upx is not installed")
    directory = f"{work}/packed"
    os.makedirs(directory)
    names = [n for n in sorted(os.listdir(f"{work}/bin")) if n.startswith(thorough) and
             re.search(r"\.(plain|stripped|pie-|linux-|windows|darwin-amd64)", n)]
    packed = [n for n in names if run(["upx", "-q", "-1", "-o", f"{directory}/{n}", f"{work}/bin/{n}"]).returncode == 0]
    found, verdict = scan(directory)
    wrong = [f"{n}: {found.get(n)}" for n in packed if "UPX" not in found.get(n, {}).get("problem", "")]
    ok(packed and not wrong and verdict == "cannot-tell", f"{len(packed)} packed programs are refused with words", verdict, *wrong)
    shutil.rmtree(directory)


releases = sorted((r for r in os.listdir(versions) if re.match(r"go1\.\d+", r)), key=minor)
lines = os.environ.get("GO_LINES", "").split()
releases = [r for r in releases if not lines or "%d.%d" % minor(r) in lines]
newest = releases[-1]
if minor(newest) < (1, 25):
    print("1..0 # SKIP no release that prints build information as JSON")
    sys.exit(0)
thorough = (releases[len(releases) // 2], newest)
damaged = [f"{r}.{w}" for r, w in ((releases[0], "plain"), (releases[0], "stripped"), (newest, "plain"), (newest, "pie-trimpath"),
                                   (newest, "windows-amd64"), (newest, "darwin-arm64"))]
os.makedirs(f"{work}/bin")
if not lines:
    ok(len(releases) >= 15, f"{len(releases)} release lines, {releases[0]} to {newest}")
prepare()
build()
readings = compare()
pack()
damaged = [d for d in damaged if d in readings]
cut(readings)
flip(readings)
print(f"1..{number}")
sys.exit(failures != 0)
