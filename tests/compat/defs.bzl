"""compat_test: one file of the C-door suite, linked with percore or with Debian's libevent."""

load("//tools/build:defs.bzl", "percore_cc_test")

def compat_test(name, srcs = None, deps = [], **kwargs):
    percore_cc_test(
        name = name,
        size = "small",
        srcs = srcs or [name + ".cc"],
        linkopts = ["-pthread"],
        deps = deps + ["//tests/compat:libevent_under_test"],
        **kwargs
    )
