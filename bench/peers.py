"""The builders that bench/run compares: where each keeps its things, how it builds, what it takes.

Every peer gets stores, sockets and configuration of its own under a directory that is removed afterwards;
nothing of the host's is touched.
"""
import glob
import json
import os
import shutil
import subprocess
import time


class Failed(Exception):
    """A command of a peer did not do what it should have; the text says which and why."""


def run(argv, timeout=300, **more):
    """A command that is not measured: its output, or Failed."""
    done = subprocess.run(argv, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=timeout,
                          stdin=subprocess.DEVNULL, **more)
    if done.returncode:
        raise Failed(f"{' '.join(argv)}: status {done.returncode}: {done.stdout[-600:].strip()}")
    return done.stdout


class Peer:
    name = "?"
    env = {}  # beside the environment of bench/run

    def place(self, directory):
        """From now on everything is kept in this directory."""

    def load(self, archive, name):
        """A base image, from an OCI archive."""
        raise NotImplementedError

    def build(self, context, tag="bench", cache=True):
        """The command line of a build to the peer's own store."""
        raise NotImplementedError

    def archive(self, context, path):
        """The command line of a cold build to an OCI archive; None where the peer cannot."""
        return None

    def pin(self, cores):
        """Keeps the peer's servers to these processors; commands are kept to them by bench/run."""

    def before(self):
        """Called before a command is measured."""

    def server_kib(self):
        """The most memory that the peer's servers had since before()."""
        return 0

    def stop(self):
        pass


class Slipway(Peer):
    name = "slipway"

    def __init__(self, program):
        self.program = program

    def version(self):
        return run([self.program, "version"]).strip()

    def place(self, directory):
        self.env = {"SLIPWAY_ROOT": directory + "/slipway"}

    def load(self, archive, name):
        run([self.program, "load", "-q", "-i", archive], env={**os.environ, **self.env})

    def build(self, context, tag="bench", cache=True):
        return [self.program, "build", "-q", "-t", tag] + ([] if cache else ["--no-cache"]) + [context]

    def archive(self, context, path):
        return [self.program, "build", "-q", "--no-cache", "-o", f"type=oci,dest={path}", context]


class Buildah(Peer):
    """buildah, and podman, which is the same builder in another program."""

    verb = "bud"

    def __init__(self, name):
        self.name = name
        self.verb = "bud" if name == "buildah" else "build"

    def version(self):
        return run([self.name, "--version"]).strip()

    def place(self, directory):
        self.where = ["--root", f"{directory}/{self.name}", "--runroot", f"{directory}/{self.name}.run",
                      "--storage-driver", "overlay"]

    def load(self, archive, name):
        if self.name == "buildah":
            image = run(["buildah", *self.where, "pull", "-q", f"oci-archive:{archive}"]).split()[-1]
        else:
            image = run(["podman", *self.where, "load", "-q", "-i", archive]).split()[-1]
        run([self.name, *self.where, "tag", image, name])

    def build(self, context, tag="bench", cache=True):
        return [self.name, *self.where, self.verb, "-q", "--layers", "--isolation", "chroot", "--pull=never", "-t", tag,
                *([] if cache else ["--no-cache"]), context]

    def archive(self, context, path):
        base = " ".join([self.name, *self.where])
        out = f"push -q bench oci-archive:{path}" if self.name == "buildah" else f"save -q --format oci-archive -o {path} bench"
        return ["sh", "-c", f"{base} {self.verb} -q --no-cache --isolation chroot --pull=never -t bench {context} && "
                            f"exec {base} {out}"]


class BuildKit(Peer):
    """The BuildKit inside Debian's dockerd."""

    name = "BuildKit"

    def __init__(self, dockerd, client):
        self.dockerd, self.client, self.daemon = dockerd, client, None

    def version(self):
        return run([self.dockerd, "--version"]).strip()

    def place(self, directory):
        self.stop()
        self.directory = directory
        os.makedirs(directory + "/docker", exist_ok=True)
        # The path of a socket has at most 107 bytes.
        self.socket = f"unix://{directory}/docker/s"
        self.env = {"DOCKER_BUILDKIT": "1", "DOCKER_HOST": self.socket, "DOCKER_CONFIG": directory + "/docker/client"}
        with open(directory + "/docker/config.json", "w") as f:
            json.dump({}, f)
        self.log = open(directory + "/docker/log", "w")
        self.daemon = subprocess.Popen(
            [self.dockerd, "--config-file", directory + "/docker/config.json", "--bridge", "none", "--iptables=false", "-H", self.socket,
             "--data-root", directory + "/docker/data", "--exec-root", directory + "/docker/x",
             "--pidfile", directory + "/docker/pid"],
            stdout=self.log, stderr=self.log, stdin=subprocess.DEVNULL, start_new_session=True)
        for _ in range(300):
            if self.daemon.poll() is not None:
                break
            if subprocess.run([self.client, "version"], env={**os.environ, **self.env}, stdout=subprocess.DEVNULL,
                              stderr=subprocess.DEVNULL).returncode == 0:
                return
            time.sleep(0.1)
        with open(directory + "/docker/log") as f:
            why = f.read()[-600:]
        self.stop()
        raise Failed(f"dockerd does not start: {why}")

    def load(self, archive, name):
        run(["skopeo", "copy", "-q", f"oci-archive:{archive}", f"docker-archive:{archive}.docker:{name}"])
        run([self.client, "load", "-q", "-i", archive + ".docker"], env={**os.environ, **self.env})
        os.unlink(archive + ".docker")

    def build(self, context, tag="bench", cache=True):
        return [self.client, "build", "-q", "--network", "none", "-t", tag, *([] if cache else ["--no-cache"]), context]

    def processes(self):
        """The daemon and what it started: its containerd."""
        found = [self.daemon.pid]
        for pid in found:
            for path in glob.glob(f"/proc/{pid}/task/*/children"):
                try:
                    with open(path) as f:
                        found += [int(p) for p in f.read().split() if int(p) not in found]
                except OSError:
                    pass
        return found

    def pin(self, cores):
        for pid in self.processes():
            run(["taskset", "-apc", cores, str(pid)])

    def before(self):
        for pid in self.processes():
            with open(f"/proc/{pid}/clear_refs", "w") as f:
                f.write("5")

    def server_kib(self):
        total = 0
        for pid in self.processes():
            try:
                with open(f"/proc/{pid}/status") as f:
                    total += sum(int(line.split()[1]) for line in f if line.startswith("VmHWM:"))
            except OSError:
                pass
        return total

    def stop(self):
        if not self.daemon:
            return
        children = self.processes()[1:]
        self.daemon.terminate()
        try:
            self.daemon.wait(20)
        except subprocess.TimeoutExpired:
            self.daemon.kill()
            self.daemon.wait()
        self.log.close()
        self.daemon = None
        for _ in range(50):
            if not any(os.path.exists(f"/proc/{pid}") for pid in children):
                break
            time.sleep(0.1)


def available(wanted, program):
    """The peers of these names that are installed."""
    found = []
    for name in wanted:
        if name == "slipway":
            found.append(Slipway(program))
        elif name in ("buildah", "podman") and shutil.which(name):
            found.append(Buildah(name))
        elif name == "BuildKit":
            # The client of the package, which is as old as the daemon.
            dockerd = shutil.which("dockerd") or shutil.which("/usr/sbin/dockerd")
            client = shutil.which("/usr/bin/docker") or shutil.which("docker")
            if dockerd and client and shutil.which("skopeo") and os.geteuid() == 0:
                found.append(BuildKit(dockerd, client))
    return found
