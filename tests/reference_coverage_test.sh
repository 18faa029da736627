#!/bin/sh
# What the tests name of the reference, by tools/reference_coverage on the tree
# itself: the links Bazel made lead there.
set -eu
tool=$(readlink -f "$1")
exec python3 "$tool" --root "$(dirname "$(dirname "$tool")")"
