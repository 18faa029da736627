#!/bin/bash
# allocation_failures.sh SUITE...: runs each of these programs (fail_allocations.h), two at a
# time, and says which of them crashed, hung or kept memory. Prints what was left out.
set -u
# Not 1, which is a failed expectation.
export ASAN_OPTIONS=${ASAN_OPTIONS:+$ASAN_OPTIONS:}exitcode=99:detect_leaks=0
export UBSAN_OPTIONS=${UBSAN_OPTIONS:+$UBSAN_OPTIONS:}exitcode=99
export TSAN_OPTIONS=${TSAN_OPTIONS:+$TSAN_OPTIONS:}exitcode=99
export COMPAT_FAIL_ALLOCATIONS=${COMPAT_FAIL_ALLOCATIONS:-0.1}
# Sharding and result files are the outer test's.
unset GTEST_OUTPUT XML_OUTPUT_FILE TEST_SHARD_INDEX TEST_TOTAL_SHARDS TEST_SHARD_STATUS_FILE

run() { # suite
  local out
  if out=$("$1" 2>&1); then
    echo "ok $(basename "$1"): $(tail -n 1 <<<"$out")"
  else
    printf 'BAD %s:\n%s\n' "$(basename "$1")" "$out"
  fi
}
export -f run
[[ $# -gt 0 ]] || { echo "no suites" >&2; exit 1; }
log=$(mktemp)
trap 'rm -f "$log"' EXIT
printf '%s\n' "$@" | xargs -P 2 -I{} bash -c 'run {}' | tee "$log"
[[ $(grep -c '^ok ' "$log") == "$#" ]] && ! grep -q '^BAD ' "$log"
