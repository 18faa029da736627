"""percore's own rules: the plain cc_* ones with the house's options and include prefix.

Every C++ target of this repository is made with these, so that the warnings are listed once
and every header is included as "percore/<path in the repository>": a monorepo's own
runtime/ or net/ folder cannot collide with ours.
"""

load("@rules_cc//cc:defs.bzl", "cc_binary", "cc_library", "cc_test")

# Warnings are errors, in our own code only.
PERCORE_COPTS = [
    "-Wall",
    "-Wextra",
    "-Werror",
    "-Wshadow",
    "-Wno-unused-parameter",
    "-Wno-missing-field-initializers",
    "-fvisibility=hidden",
    "-fvisibility-inlines-hidden",
]

def percore_cc_library(name, copts = [], **kwargs):
    """A cc_library whose headers are included as "percore/<path>".

    linkstatic: with hidden visibility a shared object of each library could not reach the
    next one's, and that is what tests link by default."""
    cc_library(
        name = name,
        copts = PERCORE_COPTS + copts,
        linkstatic = True,
        include_prefix = "percore/" + native.package_name(),
        **kwargs
    )

def percore_c_headers(name, strip_include_prefix, **kwargs):
    """Headers of the C door, included as <event2/...>, <percore/...> or <event.h>."""
    cc_library(
        name = name,
        strip_include_prefix = strip_include_prefix,
        **kwargs
    )

def percore_cc_test(name, copts = [], deps = [], gtest_main = True, **kwargs):
    """A GoogleTest program."""
    cc_test(
        name = name,
        copts = PERCORE_COPTS + copts,
        deps = deps + (["@com_google_googletest//:gtest_main"] if gtest_main else []),
        **kwargs
    )

def percore_cc_binary(name, copts = [], **kwargs):
    cc_binary(
        name = name,
        copts = PERCORE_COPTS + copts,
        **kwargs
    )
