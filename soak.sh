#!/usr/bin/env bash
# Runs workers under load for some minutes while all that can fail does: workers killed, frozen and stopped, redis-server
# killed and flushed (what it forgot is submitted again), connections cut, silent and slow, answers lost, memory full, the
# clock of Redis stepped by an hour, workers denied commands and keys. Fails when a job is lost or counted twice, when more
# calls are paid twice than were in flight at the faults, or when memory grows. Prints the figures. SOAK_SEED repeats a run.
#
#   ./soak.sh [minutes]      10 by default
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")"
export SOAK_MINUTES=${1:-10}
mkdir -p .build
export SOAK_REPORT=$PWD/.build/soak.txt
rm -f "$SOAK_REPORT"
status=0
./test.sh --full "FullyQualifiedName~Soaking" || status=$?
if [ -f "$SOAK_REPORT" ]; then cat "$SOAK_REPORT"; fi
exit $status
