#!/bin/bash
# install_test.sh INSTALL PROGRAM.c TWO_SCOPES.c TLS_PROGRAM.c TAG_PROGRAM.c: what
# //:install lays out is found and used as libevent's is.
set -u
install=$1 program=$2 two_scopes=$3 tls_program=$4 tag_program=$5
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

for name in libevent libevent_core libevent_extra libevent_openssl libevent_pthreads; do
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
for name in libevent libevent_core libevent_extra libevent_openssl libevent_pthreads percore; do
  pkg-config --exists --print-errors $name || fault "$name.pc"
  [[ $(pkg-config --variable=prefix $name) == "$prefix" ]] || fault "$name.pc: prefix"
done
[[ $(pkg-config --modversion libevent) == 2.1.12-stable ]] || fault "version"

# Whatever a header declares as exported, some library has; and nothing else is there but
# names that libevent's headers do not declare either, and the process-wide state.
declared=$(cd "$prefix/include" &&
  for header in *.h event2/*.h percore/*.h; do echo "#include <$header>"; done |
  gcc -E -P -I. -xc - | tr '\n' ' ' |
    grep -oE '__attribute__ ?\(\(visibility\("default"\)\)\)[^;]*;' |
    grep -oE '[a-z0-9_]+ ?\(' | grep -oE '^[a-z0-9_]+' |
    grep -E '^(bufferevent|ev_token_bucket_cfg|evbuffer|evconnlistener|event|evtag|evutil|evthread|evwatch|libevent|percore)_' |
    sort -u)
[[ $(wc -l <<<"$declared") -gt 100 ]] || fault "only these are declared: $declared"
exported=$(nm -D --defined-only "$prefix"/lib/libevent{_core,_extra,_openssl,_pthreads}.so |
  awk 'NF == 3 && $2 ~ /^[A-Zu]$/ {print $3}' | sort -u)
unwritten='event_(err|errx|warn|warnx|msgx|sock_err|sock_warn|disable_debug_mode)'
unwritten+='|evthread_get_(lock|condition)_callbacks|percore_state'
unwritten+='|evtag_(decode_int|decode_int64|decode_tag|encode_tag)'
unwritten+='|percore_use_pthreads(_with_flags)?'
for name in $(comm -13 <(echo "$declared") <(echo "$exported")); do
  [[ $name =~ ^($unwritten)$ ]] || fault "$name is exported and in no header"
done
for name in $(comm -23 <(echo "$declared") <(echo "$exported")); do
  fault "$name is declared and not exported"
done

# A program in C, with each library that libevent's documentation names.
run() { # name, where the shared libraries are, compiler and flags
  local name=$1 path=$2
  shift 2
  "$@" -o "$TEST_TMPDIR/$name" || { fault "$name does not build"; return; }
  LD_LIBRARY_PATH=$path "$TEST_TMPDIR/$name" || fault "$name fails"
}
flags=$(pkg-config --cflags libevent)
for libs in "libevent libevent_pthreads" "libevent_core libevent_pthreads"; do
  # shellcheck disable=SC2046,SC2086
  run "with ${libs%% *}" "$prefix/lib" \
    gcc $flags "$program" $(pkg-config --libs $libs) -pthread
done
LD_LIBRARY_PATH=$prefix/lib ldd "$TEST_TMPDIR/with libevent" |
  grep -q "libevent-2.1.so.7 => $prefix/lib/" || fault "another libevent is loaded"
# shellcheck disable=SC2046,SC2086
run static "" gcc $flags "$program" "$prefix/lib/libevent_pthreads.a" \
  "$prefix/lib/libevent.a" $(sed -n 's/^Libs.private: //p' "$prefix/lib/pkgconfig/libevent.pc")
! ldd "$TEST_TMPDIR/static" | grep -q libevent || fault "static is not"

# Tags, on buffers of the other library: with libevent, and with its two halves.
for libs in libevent "libevent_extra libevent_core"; do
  # shellcheck disable=SC2046,SC2086
  run "tags with ${libs%% *}" "$prefix/lib" \
    gcc $flags "$tag_program" $(pkg-config --libs $libs)
done

# TLS, whose library has a copy of the streams of its own: with each of the others.
for libs in libevent libevent_core; do
  # shellcheck disable=SC2046,SC2086
  run "tls with $libs" "$prefix/lib" \
    gcc $flags "$tls_program" -L"$prefix/lib" -levent_openssl -l"${libs#lib}" -lssl -lcrypto
done
# shellcheck disable=SC2046,SC2086
run "tls static" "" gcc $flags "$tls_program" "$prefix/lib/libevent_openssl.a" \
  "$prefix/lib/libevent.a" $(sed -n 's/^Libs.private: //p' "$prefix/lib/pkgconfig/libevent_openssl.pc")

# Both libraries in one process, in scopes of their own: one state.
# shellcheck disable=SC2086
run two_scopes "$prefix/lib" gcc $flags "$two_scopes" -ldl
exit $bad
