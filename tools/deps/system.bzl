"""Libraries as Debian's packages install them, under the labels that their own builds give.

Used by deps.bzl (WORKSPACE), extension.bzl and the modules in this folder (MODULE.bazel).
"""

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

_HEAD = "load(\"@rules_cc//cc:defs.bzl\", \"cc_library\")\n"

def _library(name, deps, linkopts, hdrs = None, defines = []):
    out = ["cc_library(", "    name = \"%s\"," % name]
    if defines:
        out.append("    defines = %s," % repr(defines))
    if hdrs:
        out += ["    hdrs = glob(%s, allow_empty = True)," % repr(hdrs), "    includes = [\"include\"],"]
    if deps:
        out.append("    deps = %s," % repr(deps))
    if linkopts:
        out.append("    linkopts = %s," % repr(linkopts))
    out += ["    visibility = [\"//visibility:public\"],", ")", ""]
    return "\n".join(out)

def _system_impl(ctx):
    """Headers are symlinked into include/ (never all of /usr/include); link flags come from pkg-config."""
    ctx.file("WORKSPACE", "workspace(name = \"%s\")\n" % ctx.name)
    missing = [src for src in ctx.attr.headers if not ctx.path(src).exists]
    if missing and not ctx.attr.have:
        fail("%s is missing: apt-get install %s" % (missing[0], ctx.attr.debian_package))
    for src, dst in ctx.attr.headers.items():
        if not missing:
            ctx.symlink(src, "include/" + dst)
    defines = [ctx.attr.have + "=1"] if ctx.attr.have and not missing else []
    root = [_HEAD, _library("headers", [], [], ["include/**"], defines)]
    for name, pc in ctx.attr.targets.items():
        package, _, target = name.rpartition(":")
        if not package:
            flags = [] if missing else _link_flags(ctx, pc)
            root.append(_library(target, ["//:headers"], flags))
    ctx.file("BUILD.bazel", "\n".join(root))
    packages = {}
    for name, pc in ctx.attr.targets.items():
        package, _, target = name.rpartition(":")
        if package:
            flags = _link_flags(ctx, pc)
            packages.setdefault(package, [_HEAD]).append(_library(target, ["//:headers"], flags))
    for package, rules in packages.items():
        ctx.file(package + "/BUILD.bazel", "\n".join(rules))

system_repository = repository_rule(
    implementation = _system_impl,
    attrs = {
        "debian_package": attr.string(mandatory = True),
        # For a library that may be absent: the macro that says it is there. Without the
        # package the targets exist and are empty.
        "have": attr.string(),
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

# Repository name in WORKSPACE -> what system_repository takes.
LIBRARIES = {
    "com_google_absl": dict(
        debian_package = "libabsl-dev",
        headers = {"/usr/include/absl": "absl"},
        targets = _absl_targets(),
    ),
    "com_google_googletest": dict(
        debian_package = "libgtest-dev libgmock-dev",
        headers = {"/usr/include/gtest": "gtest", "/usr/include/gmock": "gmock"},
        targets = {"gtest": "gmock", "gtest_main": "gmock_main"},
    ),
    "com_github_google_benchmark": dict(
        debian_package = "libbenchmark-dev",
        headers = {"/usr/include/benchmark": "benchmark"},
        targets = {
            "benchmark": "benchmark",
            "benchmark_main": "-lbenchmark_main -lbenchmark -pthread",
        },
    ),
    "openssl": dict(
        debian_package = "libssl-dev",
        # Split over /usr/include/openssl and the architecture's folder: left to the
        # compiler's own path.
        headers = {},
        targets = {"ssl": "openssl", "crypto": "libcrypto"},
    ),
    "liburing": dict(
        debian_package = "liburing-dev",
        headers = {"/usr/include/liburing": "liburing", "/usr/include/liburing.h": "liburing.h"},
        targets = {"liburing": "liburing"},
    ),
    "zlib": dict(
        debian_package = "zlib1g-dev",
        headers = {"/usr/include/zlib.h": "zlib.h", "/usr/include/zconf.h": "zconf.h"},
        targets = {"zlib": "zlib"},
    ),
    "concurrentqueue": dict(
        debian_package = "libconcurrentqueue-dev",
        headers = {"/usr/include/concurrentqueue": "concurrentqueue"},
        targets = {"concurrentqueue": ""},
    ),
    # The original, for the C-door suite's --config=debian_libevent and the benchmarks.
    "debian_libevent": dict(
        debian_package = "libevent-dev",
        have = "PERCORE_HAVE_DEBIAN_LIBEVENT",
        headers = {
            "/usr/include/event2": "event2",
            "/usr/include/event.h": "event.h",
            "/usr/include/evutil.h": "evutil.h",
        },
        targets = {
            "event": "libevent",
            "event_core": "libevent_core",
            "event_openssl": "libevent_openssl",
            "event_pthreads": "libevent_pthreads",
        },
    ),
    # Other event libraries, for the benchmarks.
    "libuv": dict(
        debian_package = "libuv1-dev",
        have = "PERCORE_HAVE_LIBUV",
        headers = {"/usr/include/uv": "uv", "/usr/include/uv.h": "uv.h"},
        targets = {"libuv": "-luv"},
    ),
    "libev": dict(
        debian_package = "libev-dev",
        have = "PERCORE_HAVE_LIBEV",
        headers = {"/usr/include/ev.h": "ev.h"},
        targets = {"libev": "-lev"},
    ),
    "asio": dict(
        debian_package = "libasio-dev",
        have = "PERCORE_HAVE_ASIO",
        headers = {"/usr/include/asio": "asio", "/usr/include/asio.hpp": "asio.hpp"},
        targets = {"asio": ""},
    ),
}

# Not in Bazel's central registry: from Debian with MODULE.bazel too.
EXTENSION_LIBRARIES = ["asio", "concurrentqueue", "debian_libevent", "libev", "libuv"]

def system_library(name, library = None):
    """Declares the repository `name` with Debian's copy of `library` (`name` by default)."""
    system_repository(name = name, **LIBRARIES[library or name])

def aliases(library, repository):
    """In a module that stands for `library`: its labels in this package, as aliases.

    Args:
      library: a key of LIBRARIES.
      repository: where its targets are.
    """
    package = native.package_name()
    for name in LIBRARIES[library]["targets"]:
        where, _, target = name.rpartition(":")
        if where == package:
            native.alias(
                name = target,
                actual = "@%s//%s:%s" % (repository, where, target),
                visibility = ["//visibility:public"],
            )
