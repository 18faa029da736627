"""bzlmod (Bazel 7) entry to the same repositories as deps.bzl."""

load("//tools/deps:deps.bzl", "percore_libraries")

def _impl(_ctx):
    percore_libraries()

percore_system = module_extension(implementation = _impl)
