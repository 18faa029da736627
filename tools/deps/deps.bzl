"""Every external repository, taken from this machine's Debian packages, offline.

percore_dependencies() is for WORKSPACE files (Bazel 4): percore's own, and that of any
workspace that has percore as local_repository; a repository that the caller declared
first wins. percore_libraries() is the part that bzlmod (Bazel 7, extension.bzl) needs too.
"""

def _have(name):
    # native.existing_rule does not exist in a bzlmod module extension (Bazel 7).
    return hasattr(native, "existing_rule") and native.existing_rule(name) != None

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

def _link_flags(ctx, module):
    """`module`: a pkg-config module, raw flags (start with -l), or "" for a header-only library."""
    if not module:
        return []
    if module.startswith("-l"):
        return module.split(" ")
    return _pkg_config(ctx, ["--libs", module])

def _pkg_config(ctx, args):
    tool = ctx.which("pkg-config")
    if not tool:
        fail("pkg-config is missing: apt-get install pkg-config")
    res = ctx.execute([tool] + args)
    if res.return_code != 0:
        fail("pkg-config %s: %s\n(is the -dev package installed?)" % (" ".join(args), res.stderr))
    return [f for f in res.stdout.strip().split(" ") if f]

def _library(name, deps, linkopts, hdrs = None):
    out = ["cc_library(", "    name = \"%s\"," % name]
    if hdrs:
        out += ["    hdrs = glob(%s)," % repr(hdrs), "    includes = [\"include\"],"]
    if deps:
        out.append("    deps = %s," % repr(deps))
    if linkopts:
        out.append("    linkopts = %s," % repr(linkopts))
    out += ["    visibility = [\"//visibility:public\"],", ")", ""]
    return "\n".join(out)

def _system_impl(ctx):
    """Headers are symlinked into include/ (never all of /usr/include); link flags come from pkg-config."""
    ctx.file("WORKSPACE", "workspace(name = \"%s\")\n" % ctx.name)
    for src, dst in ctx.attr.headers.items():
        if not ctx.path(src).exists:
            fail("%s is missing: apt-get install %s" % (src, ctx.attr.debian_package))
        ctx.symlink(src, "include/" + dst)
    root = [_library("headers", [], [], ["include/**"])]
    for name, pc in ctx.attr.targets.items():
        deps = ["//:headers"]
        flags = _link_flags(ctx, pc)
        package, _, target = name.rpartition(":")
        if package:
            continue
        root.append(_library(target, deps, flags))
    ctx.file("BUILD.bazel", "\n".join(root))
    packages = {}
    for name, pc in ctx.attr.targets.items():
        package, _, target = name.rpartition(":")
        if package:
            flags = _link_flags(ctx, pc)
            packages.setdefault(package, []).append(_library(target, ["//:headers"], flags))
    for package, rules in packages.items():
        ctx.file(package + "/BUILD.bazel", "\n".join(rules))

system_repository = repository_rule(
    implementation = _system_impl,
    attrs = {
        "debian_package": attr.string(mandatory = True),
        "headers": attr.string_dict(),  # absolute path -> path under include/
        "targets": attr.string_dict(),  # "name" or "package:name" -> what _link_flags takes
    },
    local = True,
    environ = ["PKG_CONFIG_PATH"],
)

_ABSL = {
    "absl/base": ["core_headers", "config", "base", "dynamic_annotations"],
    "absl/cleanup": ["cleanup"],
    "absl/container": ["flat_hash_map", "flat_hash_set", "inlined_vector", "btree", "fixed_array"],
    "absl/functional": ["any_invocable", "function_ref"],
    "absl/hash": ["hash"],
    "absl/memory": ["memory"],
    "absl/numeric": ["bits", "int128"],
    "absl/random": ["random"],
    "absl/status": ["status", "statusor"],
    "absl/strings": ["strings", "str_format", "cord"],
    "absl/synchronization": ["synchronization"],
    "absl/time": ["time"],
    "absl/types": ["optional", "span", "variant"],
    "absl/flags": ["flags", "parse"],
}
_ABSL_PC = {"absl/random:random": "absl_random_random", "absl/flags:flags": "absl_flags", "absl/flags:parse": "absl_flags_parse"}

def _absl_targets():
    out = {}
    for package, names in _ABSL.items():
        for name in names:
            key = package + ":" + name
            out[key] = _ABSL_PC.get(key, "absl_" + name)
    return out

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

    percore_libraries()

def percore_libraries():
    """The C++ libraries."""
    if not _have("com_google_absl"):
        system_repository(
            name = "com_google_absl",
            debian_package = "libabsl-dev",
            headers = {"/usr/include/absl": "absl"},
            targets = _absl_targets(),
        )
    if not _have("com_google_googletest"):
        system_repository(
            name = "com_google_googletest",
            debian_package = "libgtest-dev libgmock-dev",
            headers = {"/usr/include/gtest": "gtest", "/usr/include/gmock": "gmock"},
            targets = {"gtest": "gmock", "gtest_main": "gmock_main"},
        )
    if not _have("com_github_google_benchmark"):
        system_repository(
            name = "com_github_google_benchmark",
            debian_package = "libbenchmark-dev",
            headers = {"/usr/include/benchmark": "benchmark"},
            targets = {"benchmark": "benchmark", "benchmark_main": "-lbenchmark_main -lbenchmark -pthread"},
        )
    if not _have("openssl"):
        system_repository(
            name = "openssl",
            debian_package = "libssl-dev",
            headers = {},  # multiarch split (/usr/include/openssl + /usr/include/<triplet>/openssl): compiler default path
            targets = {"ssl": "openssl", "crypto": "libcrypto"},
        )
    if not _have("liburing"):
        system_repository(
            name = "liburing",
            debian_package = "liburing-dev",
            headers = {"/usr/include/liburing": "liburing", "/usr/include/liburing.h": "liburing.h"},
            targets = {"liburing": "liburing"},
        )
    if not _have("concurrentqueue"):
        system_repository(
            name = "concurrentqueue",
            debian_package = "libconcurrentqueue-dev",
            headers = {"/usr/include/concurrentqueue": "concurrentqueue"},
            targets = {"concurrentqueue": ""},
        )

    # Only the compatibility suite's --config=debian_libevent and the benchmarks' peers use it.
    if not _have("debian_libevent"):
        system_repository(
            name = "debian_libevent",
            debian_package = "libevent-dev",
            headers = {
                "/usr/include/event2": "event2",
                "/usr/include/event.h": "event.h",
                "/usr/include/evutil.h": "evutil.h",
            },
            targets = {
                "event": "libevent",
                "event_core": "libevent_core",
                "event_pthreads": "libevent_pthreads",
            },
        )
