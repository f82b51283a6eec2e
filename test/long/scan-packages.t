#!/bin/sh
# The packages of whole systems against what their own tools say: rpm -qa for databases in each of
# rpm's forms, dpkg-query for a Debian root. Then the same databases cut and with bytes changed: a
# package may not vanish without a word.
#
# RPM_DATABASES=DIR compares databases of real systems, too (a directory for each);
# APK_DATABASES=DIR installed files of Alpine, against awk. SEED sets which damage is done (1).
# Arguments choose the parts: rpm, real, debian, alpine.
cd "$(dirname "$0")/../.." || exit 2
SLIPWAY=${SLIPWAY:-$PWD/build/src/cmd/slipway}
case $SLIPWAY in /*) ;; *) SLIPWAY=$PWD/$SLIPWAY ;; esac
command -v python3 >/dev/null || { echo '1..0 # SKIP python3 is not installed'; exit 0; }
tmp=$(mktemp -d) || exit 2
trap 'chmod -R u+w "$tmp"; rm -rf "$tmp"' EXIT
export SLIPWAY SLIPWAY_ROOT="$tmp/store"
python3 test/long/scan-packages.py "$tmp" "$@"
