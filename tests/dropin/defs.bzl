"""elf_test: the rules of a drop-in library, checked by elf_check.sh."""

def elf_test(name, library, soname, exports, required = [], **kwargs):
    native.sh_test(
        name = name,
        size = "small",
        srcs = ["//tests/dropin:elf_check.sh"],
        args = [
            "$(location %s)" % library,
            soname,
            "'%s'" % exports,
        ] + ["$(location %s)" % file for file in required],
        data = [library] + required,
        # A sanitizer's runtime is a library of its own, which the rules forbid.
        tags = [
            "no-asan",
            "no-tsan",
        ],
        **kwargs
    )
