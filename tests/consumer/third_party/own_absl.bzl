"""own_absl: this monorepo's Abseil under the usual labels.

It stands for a vendored copy: Debian's headers with an inline namespace of our own, so
that a test can tell which Abseil percore's code was compiled with. The labels are there,
the compiled parts are not: what links proves that percore's runtime needs headers only.
"""

TARGETS = {
    "absl/base": ["base", "config", "core_headers", "dynamic_annotations"],
    "absl/cleanup": ["cleanup"],
    "absl/container": ["btree", "fixed_array", "inlined_vector"],
    "absl/functional": ["any_invocable", "function_ref"],
    "absl/memory": ["memory"],
    "absl/numeric": ["bits"],
    "absl/types": ["optional", "span"],
}

def _own_absl_impl(ctx):
    for command in (
        ["mkdir", "-p", "include"],
        ["cp", "-rL", "/usr/include/absl", "include/absl"],
        [
            "sed",
            "-i",
            "s/^#define ABSL_OPTION_INLINE_NAMESPACE_NAME .*/" +
            "#define ABSL_OPTION_INLINE_NAMESPACE_NAME consumers_own/",
            "include/absl/base/options.h",
        ],
    ):
        result = ctx.execute(command)
        if result.return_code != 0:
            fail("%s: %s" % (command, result.stderr))
    ctx.file("BUILD.bazel", """
cc_library(
    name = "headers",
    hdrs = glob(["include/**"]),
    includes = ["include"],
    visibility = ["//visibility:public"],
)
""")
    for package, names in TARGETS.items():
        ctx.file(package + "/BUILD.bazel", "".join([
            """
cc_library(
    name = "%s",
    visibility = ["//visibility:public"],
    deps = ["//:headers"],
)
""" % name
            for name in names
        ]))

own_absl = repository_rule(
    implementation = _own_absl_impl,
    local = True,
)

def aliases():
    """In the module that stands for this Abseil: the labels of the calling package."""
    for name in TARGETS.get(native.package_name(), []):
        native.alias(
            name = name,
            actual = "@own_copy//%s:%s" % (native.package_name(), name),
            visibility = ["//visibility:public"],
        )
