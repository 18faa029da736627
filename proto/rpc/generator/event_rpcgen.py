#!/usr/bin/env python3
"""event_rpcgen [--quiet] FILE.rpc [[HEADER.h] IMPL.c]

Writes libevent's C accessors and marshalling for the structures of FILE.rpc, by
default to FILE.gen.h and FILE.gen.c. The grammar is in grammar.py. Exit 1, and
FILE:LINE: what was expected, when it does not fit.
"""

import os
import sys

sys.dont_write_bytecode = True  # the source folder stays as it is

import grammar  # noqa: E402
import write_c  # noqa: E402

COMMAND = "event_rpcgen"


def main(arguments):
    quiet = "--quiet" in arguments
    names = [a for a in arguments if a != "--quiet"]
    unknown = [a for a in names if a.startswith("-")]
    if unknown or not 1 <= len(names) <= 3:
        print(__doc__.splitlines()[0], file=sys.stderr)
        return 1
    source = names[0]
    stem = os.path.splitext(os.path.basename(source))[0]
    if len(names) == 1:
        header, impl = stem + ".gen.h", stem + ".gen.c"
    elif len(names) == 2:
        impl = names[1]
        header = os.path.splitext(impl)[0] + ".h"
    else:
        header, impl = names[1:]
    try:
        with open(source, encoding="utf-8") as stream:
            file = grammar.parse(source, stream.read())
    except grammar.RpcError as error:
        print(error, file=sys.stderr)
        return 1
    except (OSError, UnicodeDecodeError) as error:
        print(f"{source}: {error}", file=sys.stderr)
        return 1
    outputs = [
        (header, write_c.header(file, header, COMMAND)),
        (impl, write_c.implementation(file, os.path.basename(header), COMMAND)),
    ]
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
