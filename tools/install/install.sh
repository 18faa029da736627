#!/bin/bash
# tools/bazel run -c opt //:install -- PREFIX: lays out the drop-in libraries, their
# headers, static libraries and pkg-config files under PREFIX (a relative one is of the
# caller's folder). DESTDIR in the environment is put before it, as make install does.
set -euo pipefail
if [[ $# != 1 || $1 == -* ]]; then
  echo "usage: tools/bazel run -c opt //:install -- PREFIX" >&2
  exit 2
fi
prefix=$1
[[ $prefix == /* ]] || prefix=${BUILD_WORKING_DIRECTORY:-$PWD}/$prefix
root=${DESTDIR:-}$prefix
lib=$root/lib
from=tools/install
[[ -d $from ]] || { echo "install: run it with Bazel" >&2; exit 2; }
mkdir -p "$lib/pkgconfig" "$root/include"

# A new file each time: a program may have the old one mapped.
put() { # source, destination
  rm -f "$2"
  install -m "$3" "$1" "$2"
}

for name in libevent libevent_core libevent_extra libevent_openssl libevent_pthreads; do
  real=$name-2.1.so.7.0.1
  put "$from/$real" "$lib/$real" 755
  ln -sfn "$real" "$lib/$name-2.1.so.7"
  ln -sfn "$real" "$lib/$name.so"
done
# One archive under the names that -static asks for; libevent_pthreads is part of it.
put "$from/percore_archive.a" "$lib/libpercore.a" 644
for name in libevent libevent_core libevent_extra libevent_pthreads; do
  ln -sfn libpercore.a "$lib/$name.a"
done
put "$from/percore_tls_archive.a" "$lib/libpercore_tls.a" 644
ln -sfn libpercore_tls.a "$lib/libevent_openssl.a"
cp -rL --no-preserve=mode "$from/headers/." "$root/include/"

pc() { # name, version, description, libs, requires, private libs
  cat >"$lib/pkgconfig/$1.pc" <<PC
prefix=$prefix
libdir=\${prefix}/lib
includedir=\${prefix}/include

Name: $1
Description: $3
Version: $2
Requires: ${5:-}
Libs: -L\${libdir} $4
Libs.private: ${6:-}-lstdc++ -lm -pthread
Cflags: -I\${includedir}
PC
}
pc libevent 2.1.12-stable "percore in libevent's place" -levent
pc libevent_core 2.1.12-stable "percore in libevent_core's place" -levent_core
pc libevent_extra 2.1.12-stable "percore in libevent_extra's place" -levent_extra libevent_core
pc libevent_pthreads 2.1.12-stable "threads for libevent" -levent_pthreads libevent
pc libevent_openssl 2.1.12-stable "TLS streams for libevent" -levent_openssl libevent \
  "-lssl -lcrypto "
pc percore 0.1.0 "thread-per-core event runtime (C++20)" "-lpercore -pthread"
echo "percore: installed in $root"
