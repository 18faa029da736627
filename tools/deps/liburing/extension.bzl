"""The repository that this module's labels are aliases of."""

load("//:system.bzl", "system_library")

def _impl(_ctx):
    system_library("debian_copy", "liburing")

debian = module_extension(implementation = _impl)
