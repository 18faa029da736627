#!/bin/bash
# allocation_failures_bite_test.sh DRIVER SUITE: the driver finds the suite's fault.
set -u
if out=$("$1" "$2"); then
  echo "found nothing wrong: $out"
  exit 1
fi
echo "$out"
grep -q 'Bite.DoesNotLookWhetherThereIsMemory with allocation 1 failing is killed by signal 6' \
  <<<"$out"
