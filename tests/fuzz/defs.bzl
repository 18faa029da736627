"""fuzz_test: a fuzz target as a test that needs no fuzzer (see driver.h)."""

load("//tools/build:defs.bzl", "percore_cc_test")

def fuzz_test(name, srcs = None, deps = [], runs = 100000, **kwargs):
    percore_cc_test(
        name = name,
        size = "small",
        srcs = srcs or [name + ".cc"],
        args = ["--runs=%d" % runs],
        gtest_main = False,
        deps = deps + ["//tests/fuzz:driver"],
        **kwargs
    )
