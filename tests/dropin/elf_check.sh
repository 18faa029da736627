#!/bin/bash
# elf_check.sh LIBRARY SONAME EXPORTS [REQUIRED...]: the rules of a drop-in library.
# EXPORTS: an extended regular expression that every exported name must match.
# REQUIRED: files of names, one a line, that must all be exported.
set -u
library=$1 soname=$2 exports=$3
shift 3
bad=0
fault() {
  echo "FAIL ${library##*/}: $*"
  bad=1
}

dynamic=$(readelf -dW "$library") || exit 1
while read -r name; do
  case $name in
    libc.so.6 | ld-linux-*) ;;
    # libevent_pthreads stands on libevent_core, as Debian's does.
    libevent_core-2.1.so.7)
      [[ $soname == libevent_pthreads-* || $soname == libevent_openssl-* ]] ||
        fault "needs $name"
      ;;
    libssl.so.3 | libcrypto.so.3) [[ $soname == libevent_openssl-* ]] || fault "needs $name" ;;
    *) fault "needs $name, and only libc and ld.so are allowed" ;;
  esac
done < <(sed -n 's/.*(NEEDED).*\[\(.*\)\]/\1/p' <<<"$dynamic")

got=$(sed -n 's/.*(SONAME).*\[\(.*\)\]/\1/p' <<<"$dynamic")
[[ $got == "$soname" ]] || fault "SONAME is '$got', not '$soname'"
for flag in STATIC_TLS TEXTREL SYMBOLIC; do
  # STATIC_TLS: initial-exec thread-locals, which dlopen may have no room for.
  ! grep -E '\((FLAGS|TEXTREL|SYMBOLIC)\)' <<<"$dynamic" | grep -qw "$flag" ||
    fault "has $flag"
done

# Columns of readelf: number value size type binding visibility section name.
table=$(readelf --dyn-syms -W "$library" | awk '$1 ~ /^[0-9]+:$/ && $8 != "" && $5 != "LOCAL"')
defined=$(awk '$7 != "UND" {print $5, $8}' <<<"$table")
count=0
while read -r binding name; do
  [[ -n $name ]] || continue
  count=$((count + 1))
  [[ $name =~ ^($exports)$ ]] || fault "exports $name"
  [[ $binding != UNIQUE || $name == percore_state ]] || fault "$name is $binding"
  [[ $binding == UNIQUE || $name != percore_state ]] || fault "$name is $binding"
done <<<"$defined"
[[ $count -gt 0 ]] || fault "exports nothing"

# Whatever is not libc's must come from inside.
while read -r binding name; do
  [[ -n $name && $name != *@GLIBC_* && $binding != WEAK ]] || continue
  [[ $soname != libevent_openssl-* || $name != *@OPENSSL_* ]] || continue
  [[ $soname == libevent_pthreads-* && $name == percore_* ]] ||
    fault "wants $name from outside"
done < <(awk '$7 == "UND" {print $5, $8}' <<<"$table")

for required in "$@"; do
  while read -r name; do
    [[ -n $name && $name != '#'* ]] || continue
    grep -qw -- "$name" <<<"$defined" || fault "does not export $name"
  done <"$required"
done
[[ $bad == 0 ]] && echo "ok ${library##*/}: $count exported names"
exit $bad
