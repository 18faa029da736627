#!/bin/bash
# count_results.py on made-up build events: what counts as passed, failed, skipped.
set -u
count=$PWD/tools/ci/count_results.py
cd "$TEST_TMPDIR" || exit 1
: >bad # the checks run in pipelines' subshells
result() { # label, status, xml, log
  printf '{"id":{"testResult":{"label":"%s","run":1}},"testResult":{"status":"%s","testActionOutput":[{"name":"test.xml","uri":"file://%s"},{"name":"test.log","uri":"file://%s"}]}}\n' \
    "$1" "$2" "$PWD/$3" "$PWD/$4"
}
expect() { # counts, Bazel's status; the events come on standard input
  local got
  cat >events.json
  got=$(python3 "$count" events.json "$2" sets.txt | tail -n 1)
  [[ $got == "$1" ]] && return
  echo "FAIL: $3: counted '$got', not '$1'"
  echo 1 >bad
}
printf '# a set\ntool:jq jq\nlibuv1-dev\n' >sets.txt
cat >gtest.xml <<'X'
<testsuites><testsuite>
<testcase name="A" classname="S" status="run" result="completed"/>
<testcase name="B" classname="S" status="run" result="completed"><failure message="m"/></testcase>
<testcase name="C" classname="S" status="run" result="skipped"><skipped message="f.cc:1&#x0A;SKIP: needs root"/></testcase>
<testcase name="D" classname="S" status="run" result="skipped"><skipped message="SKIP: needs libuv1-dev"/></testcase>
<testcase name="E" classname="S" status="notrun" result="suppressed"/>
</testsuite></testsuites>
X
cat >good.xml <<'X'
<testsuites><testsuite>
<testcase name="A" classname="S" status="run" result="completed"/>
<testcase name="B" classname="S" status="run" result="completed"/>
</testsuite></testsuites>
X
printf '<testsuites><testsuite name="x"><testcase name="x" status="run"/></testsuite></testsuites>' >plain.xml
echo 'all is well' >plain.log
echo 'SKIP: needs network namespaces' >skip.log
echo 'SKIP: needs libuv1-dev' >lacks.log

result //a:a FAILED gtest.xml plain.log | expect "1 2 1" 3 "a failure and a missing package"
result //a:a PASSED good.xml plain.log | expect "2 0 0" 0 "two cases"
result //a:a FAILED good.xml plain.log | expect "2 1 0" 3 "died after its last case"
result //a:a TIMEOUT none.xml plain.log | expect "0 1 0" 3 "time-out without results"
result //a:a PASSED plain.xml plain.log | expect "1 0 0" 0 "a script"
result //a:a PASSED plain.xml skip.log | expect "0 0 1" 0 "a script that skips"
result //a:a PASSED plain.xml lacks.log | expect "0 1 0" 0 "a skip for a package of ours"
echo '{"id":{"targetCompleted":{"label":"//a:b"}},"completed":{}}' |
  expect "0 1 0" 1 "did not build"
: | expect "0 1 0" 1 "Bazel did not start"
: | expect "0 1 0" 0 "no test at all"
printf '{"id":{"testResult":' | expect "0 1 0" 8 "cut off"
{
  result //a:a FAILED good.xml plain.log
  result //a:a PASSED good.xml plain.log
} | expect "2 0 0" 0 "passed at the second attempt"
[[ ! -s bad ]]
