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

def percore_dependencies():
    """Declares whatever the caller has not declared."""

    # --- what Bazel 4 itself wants to download; shims or Debian's copies instead ---
    if not _have("rules_cc"):
        files_repository(
            name = "rules_cc",
            workspace_name = "rules_cc",
            files = {"BUILD.bazel": "", "cc/BUILD.bazel": ""},
            copies = {"@percore//tools/deps:shims/rules_cc_defs.bzl": "cc/defs.bzl"},
        )
    if not _have("rules_java"):
        native.local_repository(name = "rules_java", path = "/usr/share/bazel/rules/java")
    if not _have("rules_proto"):
        native.local_repository(name = "rules_proto", path = "/usr/share/bazel/rules/proto")
    if not _have("platforms"):
        native.local_repository(name = "platforms", path = "/usr/share/bazel/tools/platforms")
    if not _have("remote_coverage_tools"):
        files_repository(
            name = "remote_coverage_tools",
            workspace_name = "remote_coverage_tools",
            files = {"BUILD.bazel": "\n".join([
                "filegroup(name = \"%s\", visibility = [\"//visibility:public\"])" % n
                for n in ["coverage_report_generator", "lcov_merger"]
            ])},
        )

    for name in LIBRARIES:
        if not _have(name):
            system_library(name)
