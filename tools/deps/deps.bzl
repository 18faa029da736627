"""Every external repository, taken from this machine's Debian packages, offline.

percore_dependencies() is for WORKSPACE files: percore's own, and that of any workspace
that has percore as local_repository; a repository that the caller declared first wins.
"""

load("//tools/deps:system.bzl", "LIBRARIES", "system_library")

def _have(name):
    return native.existing_rule(name) != None

def _files_impl(ctx):
    ctx.file("WORKSPACE", "workspace(name = \"%s\")\n" % ctx.attr.workspace_name)
    for path, content in ctx.attr.files.items():
        ctx.file(path, content)
    for label, path in ctx.attr.copies.items():
        ctx.symlink(ctx.path(label), path)

# A repository written on the spot: `files` maps path to content, `copies` maps a label to a path.
files_repository = repository_rule(
    implementation = _files_impl,
    attrs = {
        "workspace_name": attr.string(),
        "files": attr.string_dict(),
        "copies": attr.label_keyed_string_dict(),
    },
)

# What Bazel would download for itself: Debian's copies.
_DEBIAN_RULES = {
    "bazel_features": "/usr/share/bazel/tools/features",
    "bazel_skylib": "/usr/share/bazel/tools/skylib",
    "platforms": "/usr/share/bazel/tools/platforms",
    "rules_cc": "/usr/share/bazel/rules/cc",
    "rules_java": "/usr/share/bazel/rules/java",
    "rules_license": "/usr/share/bazel/rules/license",
    "rules_proto": "/usr/share/bazel/rules/proto",
    "rules_python": "/usr/share/bazel/rules/python",
}

def percore_dependencies():
    """Declares whatever the caller has not declared."""
    if hasattr(native, "cc_shared_library"):  # Bazel 6 and later
        folders = _DEBIAN_RULES
    else:
        # Bazel 4. Debian's rules_cc does not load there.
        folders = {name: _DEBIAN_RULES[name] for name in ("platforms", "rules_java", "rules_proto")}
        if not _have("rules_cc"):
            files_repository(
                name = "rules_cc",
                workspace_name = "rules_cc",
                files = {"BUILD.bazel": "", "cc/BUILD.bazel": ""},
                copies = {"@percore//tools/deps:shims/rules_cc_defs.bzl": "cc/defs.bzl"},
            )
        if not _have("remote_coverage_tools"):  # wanted even without coverage
            files_repository(
                name = "remote_coverage_tools",
                workspace_name = "remote_coverage_tools",
                files = {"BUILD.bazel": "\n".join([
                    "filegroup(name = \"%s\", visibility = [\"//visibility:public\"])" % n
                    for n in ["coverage_report_generator", "lcov_merger"]
                ])},
            )
    for name, path in folders.items():
        if not _have(name):
            native.local_repository(name = name, path = path)
    for name in LIBRARIES:
        if not _have(name):
            system_library(name)
