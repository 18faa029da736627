"""percore_rpc_library: the messages of an .rpc file, as C and as C++20."""

load("@rules_cc//cc:defs.bzl", "cc_library")

_GENERATOR = str(Label("//proto/rpc/generator:event_rpcgen.py"))
_MODULES = str(Label("//proto/rpc/generator"))
_EVENT2 = str(Label("//:event2"))
_MESSAGE = str(Label("//proto/rpc/message"))

def _generate(name, src, outs, flags):
    native.genrule(
        name = name,
        srcs = [src],
        outs = outs,
        cmd = "python3 $(location %s) --quiet %s $(location %s) $(location %s) $(location %s)" % (
            _GENERATOR,
            flags,
            src,
            outs[0],
            outs[1],
        ),
        tools = [
            _GENERATOR,
            _MODULES,
        ],
    )

def percore_rpc_library(name, src, namespace = None, deps = [_EVENT2], **kwargs):
    """Libraries of what tools/event_rpcgen writes for `src`.

    Headers are included by their path in the workspace. a/b/x.rpc is "a/b/x.gen.h" of
    target `name`, libevent's generated C; and with `namespace` also "a/b/x.rpc.h" of
    target `name`_cc, C++20 structures with the same wire bytes.

    Args:
      name: of the libraries.
      src: a .rpc file of this package.
      namespace: of the C++ structures.
      deps: what the C stands on: percore's C door, or another libevent.
      **kwargs: as of cc_library, for both.
    """
    stem = src[:-len(".rpc")]
    header = stem + ".gen.h"
    implementation = stem + ".gen.c"
    _generate(name + "_c_files", src, [header, implementation], "")
    cc_library(
        name = name,
        srcs = [implementation],
        hdrs = [header],
        linkstatic = True,
        deps = deps,
        **kwargs
    )
    if namespace:
        header = stem + ".rpc.h"
        implementation = stem + ".rpc.cc"
        _generate(name + "_cc_files", src, [header, implementation], "--cpp=" + namespace)
        cc_library(
            name = name + "_cc",
            srcs = [implementation],
            hdrs = [header],
            # percore's names are hidden: not to be found by a shared object of this.
            linkstatic = True,
            deps = [_MESSAGE],
            **kwargs
        )
