#!/bin/bash
# refusal_test.sh ELF_CHECK GOOD LEAKY: elf_check.sh finds what is wrong. LEAKY is the
# same source linked as any shared library.
set -u
check=$1 good=$2 leaky=$3
bad=0
must_say() { # text, then arguments of elf_check.sh
  local text=$1 out
  shift
  if out=$(bash "$check" "$@"); then
    echo "FAIL: accepted: $*"
    bad=1
  elif ! grep -qF -- "$text" <<<"$out"; then
    echo "FAIL: '$text' is not among: $out"
    bad=1
  fi
}
names='event_.*|percore_state'
must_say 'needs libstdc++.so.6' "$leaky" libtiny-2.1.so.7 "$names"
must_say 'exports _ZN7percore14OpenlyDeclaredEi' "$leaky" libtiny-2.1.so.7 "$names"
must_say 'wants _Z' "$leaky" libtiny-2.1.so.7 "$names"
must_say "SONAME is ''" "$leaky" libtiny-2.1.so.7 "$names"
must_say 'exports percore_state' "$good" libtiny-2.1.so.7 'event_.*'
echo event_not_there >"$TEST_TMPDIR/required"
must_say 'does not export event_not_there' \
  "$good" libtiny-2.1.so.7 "$names" "$TEST_TMPDIR/required"

# A thread-local of the initial-exec model.
cat >"$TEST_TMPDIR/tls.c" <<'C'
__attribute__((tls_model("initial-exec"))) static __thread int n;
int event_count(void) { return ++n; }
C
gcc -shared -fPIC -Wl,-soname,libtls.so.1 \
  -o "$TEST_TMPDIR/libtls.so" "$TEST_TMPDIR/tls.c" || exit 1
must_say 'has STATIC_TLS' "$TEST_TMPDIR/libtls.so" libtls.so.1 'event_.*'
exit $bad
