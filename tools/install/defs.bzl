"""The drop-in libraries: what //:install lays out, made from cc_library targets.

merged_archive    one static library of everything in this repository below `deps`
dropin_library    a shared library of such an archive with libevent's SONAME
installed_headers the headers below `deps`, by the path they are included with
"""

load("@bazel_tools//tools/cpp:toolchain_utils.bzl", "find_cpp_toolchain")
load("@rules_cc//cc:defs.bzl", "cc_binary")

def _archives(deps):
    """The archives of our own libraries below `deps`; position-independent ones."""
    out = []
    for dep in deps:
        for linker_input in dep[CcInfo].linking_context.linker_inputs.to_list():
            # What comes from another repository is header-only here: the link with
            # --no-undefined and the test of NEEDED hold us to it.
            if linker_input.owner.workspace_name != dep.label.workspace_name:
                continue
            for library in linker_input.libraries:
                archive = library.pic_static_library or library.static_library
                if archive and archive not in out:
                    out.append(archive)
    return out

def _merged_archive_impl(ctx):
    archives = _archives(ctx.attr.deps)
    toolchain = find_cpp_toolchain(ctx)
    out = ctx.actions.declare_file(ctx.label.name + ".a")
    script = ctx.actions.declare_file(ctx.label.name + ".mri")
    ctx.actions.write(script, "\n".join(
        ["create " + out.path] +
        ["addlib " + archive.path for archive in archives] +
        ["save", "end", ""],
    ))
    ctx.actions.run_shell(
        inputs = depset(archives + [script], transitive = [toolchain.all_files]),
        outputs = [out],
        command = "%s -M < %s" % (toolchain.ar_executable, script.path),
        mnemonic = "MergeArchives",
    )
    return [DefaultInfo(
        files = depset([out]),
        runfiles = ctx.runfiles([out]),
    )]

merged_archive = rule(
    implementation = _merged_archive_impl,
    attrs = {
        "deps": attr.label_list(providers = [CcInfo]),
        "_cc_toolchain": attr.label(
            default = "@bazel_tools//tools/cpp:current_cc_toolchain",
        ),
    },
    toolchains = ["@bazel_tools//tools/cpp:toolchain_type"],
)

def dropin_library(
        name,
        archive,
        version_script,
        soname = None,
        linkopts = [],
        additional_linker_inputs = [],
        **kwargs):
    """A shared library that needs only libc; `name` is its file name.

    Args:
      name: the file name, as libevent's: libX-2.1.so.7.0.1.
      archive: a merged_archive; the whole of it is linked.
      version_script: a .lds file that says what is exported.
      soname: if another than `name` without its last two numbers.
      linkopts: put before the house's own.
      additional_linker_inputs: files that `linkopts` name.
      **kwargs: as of cc_binary.
    """
    cc_binary(
        name = name,
        linkopts = linkopts + [
            "-Wl,--whole-archive",
            "$(location %s)" % archive,
            "-Wl,--no-whole-archive",
            # libstdc++ and libgcc are inside and hidden: a C program that loads us
            # has none, a C++ program may have another.
            "-l:libstdc++.a",
            "-static-libgcc",
            "-Wl,--exclude-libs,libstdc++.a:libgcc.a:libgcc_eh.a",
            "-Wl,--as-needed",
            "-Wl,--no-undefined",
            "-Wl,--gc-sections",
            "-Wl,-z,now",
            "-Wl,-soname," + (soname or name[:name.index(".so.7") + 5]),
            "-Wl,--version-script,$(location %s)" % version_script,
        ],
        linkshared = True,
        linkstatic = True,
        additional_linker_inputs = additional_linker_inputs + [archive, version_script],
        **kwargs
    )

def _include_path(header):
    """`header` as it is written in an #include, or None if it is not to be installed."""
    for mark in ("/_virtual_includes/", "/_virtual_imports/"):
        if mark in header.path:
            path = header.path.split(mark)[1]
            return path[path.index("/") + 1:]
    return None

def _installed_headers_impl(ctx):
    by_path = {}
    for dep in ctx.attr.deps:
        for header in dep[CcInfo].compilation_context.headers.to_list():
            path = _include_path(header)
            owner = header.owner
            if not path or owner.workspace_name != ctx.label.workspace_name:
                continue
            if "/" not in path or path.split("/")[0] in ctx.attr.folders:
                by_path[path] = header
    out = ctx.actions.declare_directory(ctx.label.name)
    ctx.actions.run_shell(
        inputs = by_path.values(),
        outputs = [out],
        command = "\n".join(["set -e"] + [
            "install -D -m 644 '%s' '%s/%s'" % (by_path[path].path, out.path, path)
            for path in sorted(by_path)
        ]),
        mnemonic = "InstallHeaders",
    )
    return [DefaultInfo(
        files = depset([out]),
        runfiles = ctx.runfiles([out]),
    )]

installed_headers = rule(
    implementation = _installed_headers_impl,
    attrs = {
        "deps": attr.label_list(providers = [CcInfo]),
        "folders": attr.string_list(
            doc = "the folders of headers to take, as included; those in none always",
        ),
    },
)
