"""percore_rpc_library: the messages of an .rpc file, as C."""

load("@rules_cc//cc:defs.bzl", "cc_library")

_GENERATOR = str(Label("//proto/rpc/generator:event_rpcgen.py"))
_MODULES = str(Label("//proto/rpc/generator"))
_EVENT2 = str(Label("//:event2"))

def percore_rpc_library(name, src, **kwargs):
    """A cc_library of what tools/event_rpcgen writes for `src`.

    The header is included by its path in the workspace: a/b/x.rpc is "a/b/x.gen.h". It
    links "//:event2" unless `deps` name another libevent.

    Args:
      name: of the library.
      src: a .rpc file of this package.
      **kwargs: as of cc_library.
    """
    stem = src[:-len(".rpc")]
    header = stem + ".gen.h"
    implementation = stem + ".gen.c"
    native.genrule(
        name = name + "_generated",
        srcs = [src],
        outs = [
            header,
            implementation,
        ],
        cmd = "python3 $(location %s) --quiet $(location %s) $(location %s) $(location %s)" % (
            _GENERATOR,
            src,
            header,
            implementation,
        ),
        tools = [
            _GENERATOR,
            _MODULES,
        ],
    )
    cc_library(
        name = name,
        srcs = [implementation],
        hdrs = [header],
        deps = kwargs.pop("deps", [_EVENT2]),
        **kwargs
    )
