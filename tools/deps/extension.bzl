"""For MODULE.bazel: the libraries that Bazel's central registry has no module of."""

load("//tools/deps:system.bzl", "EXTENSION_LIBRARIES", "system_library")

def _impl(_ctx):
    for name in EXTENSION_LIBRARIES:
        system_library(name)

percore_system = module_extension(implementation = _impl)
