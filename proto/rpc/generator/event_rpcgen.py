#!/usr/bin/env python3
"""event_rpcgen [--quiet] [--cpp=NAMESPACE] FILE.rpc [[HEADER.h] IMPL.c]

Writes libevent's C accessors and marshalling for the structures of FILE.rpc, by
default to FILE.gen.h and FILE.gen.c; with --cpp C++20 structures in NAMESPACE with
the same wire bytes, by default to FILE.rpc.h and FILE.rpc.cc. The grammar is in
grammar.py. Exit 1, and FILE:LINE: what was expected, when it does not fit.
"""

import os
import re
import sys

sys.dont_write_bytecode = True  # the source folder stays as it is

import grammar  # noqa: E402
import write_c  # noqa: E402
import write_cpp  # noqa: E402

COMMAND = "event_rpcgen"


def main(arguments):
    quiet = "--quiet" in arguments
    namespace = None
    names = []
    for argument in arguments:
        if argument.startswith("--cpp="):
            namespace = argument[len("--cpp="):]
            if not re.match(r"[A-Za-z_]\w*(::[A-Za-z_]\w*)*$", namespace):
                print(f"not a namespace: {namespace}", file=sys.stderr)
                return 1
        elif argument != "--quiet":
            names.append(argument)
    endings = (".gen.h", ".gen.c") if namespace is None else (".rpc.h", ".rpc.cc")
    unknown = [a for a in names if a.startswith("-")]
    if unknown or not 1 <= len(names) <= 3:
        print(__doc__.splitlines()[0], file=sys.stderr)
        return 1
    source = names[0]
    stem = os.path.splitext(os.path.basename(source))[0]
    if len(names) == 1:
        header, impl = stem + endings[0], stem + endings[1]
    elif len(names) == 2:
        impl = names[1]
        header = os.path.splitext(impl)[0] + ".h"
    else:
        header, impl = names[1:]
    try:
        with open(source, encoding="utf-8") as stream:
            file = grammar.parse(source, stream.read())
        base = os.path.basename(header)
        if namespace is None:
            outputs = [
                (header, write_c.header(file, header, COMMAND)),
                (impl, write_c.implementation(file, base, COMMAND)),
            ]
        else:
            outputs = [
                (header, write_cpp.header(file, header, namespace, COMMAND)),
                (impl, write_cpp.implementation(file, base, namespace, COMMAND)),
            ]
    except grammar.RpcError as error:
        print(error, file=sys.stderr)
        return 1
    except (OSError, UnicodeDecodeError) as error:
        print(f"{source}: {error}", file=sys.stderr)
        return 1
    for path, text in outputs:
        if not quiet:
            print(f"writing {path}")
        try:
            with open(path, "w", encoding="utf-8") as stream:
                stream.write(text)
        except OSError as error:
            print(f"{path}: {error}", file=sys.stderr)
            return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
