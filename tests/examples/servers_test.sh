#!/bin/sh
# Runs servers_test.py on the binaries that are this test's data.
set -eu
if ! command -v python3 > /dev/null; then
  echo "SKIP: needs python3"
  exit 0
fi
EXAMPLES=$(pwd)/examples exec python3 tests/examples/servers_test.py "$@"
