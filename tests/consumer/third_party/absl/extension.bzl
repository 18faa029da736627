"""The repository that this module's labels are aliases of."""

load("//:own_absl.bzl", "own_absl")

def _impl(_ctx):
    own_absl(name = "own_copy")

own = module_extension(implementation = _impl)
