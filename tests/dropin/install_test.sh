#!/bin/bash
# install_test.sh INSTALL: what //:install lays out is found and used as libevent's is.
set -u
install=$1
prefix=$TEST_TMPDIR/prefix
bad=0
fault() {
  echo "FAIL: $*"
  bad=1
}

"$install" "$prefix" || exit 1
"$install" "$prefix" || fault "a second time over the first"
! "$install" 2>/dev/null || fault "accepts no prefix"
DESTDIR=$TEST_TMPDIR/staged "$install" /usr || fault "with DESTDIR"
[[ -f $TEST_TMPDIR/staged/usr/lib/libevent_core-2.1.so.7 ]] || fault "DESTDIR is not used"
grep -q '^prefix=/usr$' "$TEST_TMPDIR/staged/usr/lib/pkgconfig/libevent.pc" ||
  fault "DESTDIR is in libevent.pc"

for name in libevent libevent_core; do
  for link in $name-2.1.so.7 $name.so; do
    [[ $(readlink "$prefix/lib/$link") == "$name-2.1.so.7.0.1" ]] || fault "$link"
  done
done

# Each header by itself, as C and as C++, with no other folder of ours.
for header in $(cd "$prefix/include" && ls *.h event2/*.h percore/*.h 2>/dev/null); do
  echo "#include <$header>" >"$TEST_TMPDIR/one.c"
  gcc -std=gnu11 -Wall -Werror -I"$prefix/include" -fsyntax-only \
    "$TEST_TMPDIR/one.c" || fault "$header as C"
  g++ -x c++ -std=c++17 -Wall -Werror -I"$prefix/include" -fsyntax-only \
    "$TEST_TMPDIR/one.c" || fault "$header as C++"
done
[[ -f $prefix/include/event2/event.h && -f $prefix/include/event.h ]] ||
  fault "headers are missing"
# The C++ door's headers stand alone too (they need Abseil's, as Debian has them).
for header in $(cd "$prefix/include" && find percore -mindepth 2 -name '*.h'); do
  echo "#include <$header>"
done >"$TEST_TMPDIR/all.cc"
g++ -std=c++20 -I"$prefix/include" -fsyntax-only "$TEST_TMPDIR/all.cc" ||
  fault "the C++ headers"

export PKG_CONFIG_PATH=$prefix/lib/pkgconfig
for name in libevent libevent_core percore; do
  pkg-config --exists --print-errors $name || fault "$name.pc"
  [[ $(pkg-config --variable=prefix $name) == "$prefix" ]] || fault "$name.pc: prefix"
done
[[ $(pkg-config --modversion libevent) == 2.1.12-stable ]] || fault "version"
exit $bad
