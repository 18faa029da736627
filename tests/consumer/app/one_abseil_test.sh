#!/bin/bash
# one_abseil_test.sh ARCHIVE: percore's code was compiled with this workspace's Abseil.
set -u
names=$(nm -C "$1") || exit 1
if grep -q "absl::debian" <<<"$names"; then
  echo "FAIL: the Abseil of Debian is in $1"
  exit 1
fi
# What is not inline would have to come from a compiled Abseil, which there is not.
if nm -C --undefined-only "$1" | grep 'absl::'; then
  echo "FAIL: percore wants compiled parts of Abseil"
  exit 1
fi
echo "$(grep -c 'absl::consumers_own' <<<"$names") names of our Abseil"
