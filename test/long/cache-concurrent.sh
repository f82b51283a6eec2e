#!/bin/sh
# Twenty builds at once, ten times over; and beside a collector that takes all it may take.
cd "$(dirname "$0")/../.." || exit 2
ROUNDS=10 sh test/cli/46-concurrent.t && ROUNDS=5 COLLECT=1 sh test/cli/46-concurrent.t
