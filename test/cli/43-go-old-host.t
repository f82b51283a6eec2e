#!/bin/sh
# Hosts whose kernel lacks what came after 3.10: a seccomp filter answers ENOSYS.
. "$(dirname "$0")/lib.sh"
. "$top/test/cli/golib.sh"
cat >"$tmp/old.py" <<'PY'
import ctypes, os, sys
try:
    s = ctypes.CDLL('libseccomp.so.2')
except OSError:
    sys.exit(77)
s.seccomp_init.restype = ctypes.c_void_p
f = ctypes.c_void_p(s.seccomp_init(0x7fff0000))
for name in ('openat2', 'renameat2', 'clone3', 'statx', 'copy_file_range', 'memfd_create', 'faccessat2',
             'close_range', 'pidfd_open', 'execveat', 'preadv2'):
    n = s.seccomp_syscall_resolve_name(name.encode())
    if n >= 0: s.seccomp_rule_add(f, 0x00050000 | 38, n, 0)
class Arg(ctypes.Structure):
    _fields_ = [('arg', ctypes.c_uint), ('op', ctypes.c_int), ('a', ctypes.c_uint64), ('b', ctypes.c_uint64)]
tmpfile = 0o20200000
n = s.seccomp_syscall_resolve_name(b'openat')
s.seccomp_rule_add_array(f, 0x00050000 | 95, n, 1, (Arg * 1)(Arg(2, 7, tmpfile, tmpfile)))  # O_TMPFILE
if s.seccomp_load(f): sys.exit(77)
os.execv(sys.argv[1], sys.argv[1:])
PY
old() { python3 "$tmp/old.py" "$@"; }
old /bin/true 2>/dev/null || skip_all "no libseccomp"
ok "install" old "$slipway" go install --progress=quiet 1.21.6
ok "install shares" old "$slipway" go install --progress=quiet --source site 1.21.13
ok "verify" old "$slipway" go verify
ok "use" old "$slipway" go use 1.21.6
like "exec" "$(old "$slipway" go exec -- go version)" 'go1.21.6'
ok "matrix" old "$slipway" go matrix --go 1.21.6,1.21.13 -- go version
init=${SLIPWAY_INIT:-$top/build/src/gotool/slipway-init}
export SLIPWAY_BIN="$slipway"
like "init" "$(GO_VERSION=1.22.2 old "$init" --supervise go version 2>/dev/null)" 'go1.22.2'
ok "uninstall" old "$slipway" go uninstall 1.21.13
ok "prune" old "$slipway" go prune
done_testing
