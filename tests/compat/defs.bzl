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

def compat_modes_test(name, srcs = None, deps = [], **kwargs):
    """A file of the suite twice: NAME without locks, NAME_shared with evthread_use_pthreads()."""
    for suffix, defines in [("", []), ("_shared", ["COMPAT_SHARED_MODE=1"])]:
        compat_test(
            name = name + suffix,
            srcs = (srcs or [name + ".cc"]) + ["compat_main.cc"],
            deps = deps + [
                "//tests/compat:probes",
                "@com_google_googletest//:gtest",
            ],
            gtest_main = False,
            local_defines = defines,
            **kwargs
        )
