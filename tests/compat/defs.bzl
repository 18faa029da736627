"""compat_test: one file of the C-door suite, linked with percore or with Debian's libevent."""

load("//tools/build:defs.bzl", "percore_cc_test")

# The calls whose answer fail_allocations.cc looks at.
_WRAPPED = [
    "event_add",
    "event_base_init_common_timeout",
    "event_base_loopexit",
    "event_base_new",
    "event_base_new_with_config",
    "event_base_once",
    "event_base_priority_init",
    "event_config_avoid_method",
    "event_config_new",
    "event_get_supported_methods",
    "event_init",
    "event_loopexit",
    "event_new",
    "event_once",
    "event_priority_init",
    "event_reinit",
    "evutil_monotonic_timer_new",
]

def compat_test(name, srcs = None, deps = [], main = "//tests/compat:main", **kwargs):
    percore_cc_test(
        name = name,
        size = "small",
        srcs = srcs or [name + ".cc"],
        linkopts = ["-pthread"] + ["-Wl,--wrap=" + call for call in _WRAPPED],
        deps = deps + [
            main,
            "//tests/compat:libevent_under_test",
            "@com_google_googletest//:gtest",
        ],
        gtest_main = False,
        **kwargs
    )

def compat_modes_test(name, srcs = None, deps = [], **kwargs):
    """A file of the suite twice: NAME without locks, NAME_shared with evthread_use_pthreads()."""
    for suffix, defines in [("", []), ("_shared", ["COMPAT_SHARED_MODE=1"])]:
        compat_test(
            name = name + suffix,
            srcs = srcs or [name + ".cc"],
            deps = deps + ["//tests/compat:probes"],
            local_defines = defines,
            main = "//tests/compat:main" + suffix,
            **kwargs
        )

def allocation_failures_test(name, leave_out = [], leave_out_prefixes = [], **kwargs):
    """The suite's files so far in this package, each with every allocation failing in turn."""
    suites = [
        ":" + rule["name"]
        for rule in native.existing_rules().values()
        if rule["kind"] == "cc_test" and rule["name"] not in leave_out and
           not [p for p in leave_out_prefixes if rule["name"].startswith(p)]
    ]
    native.sh_test(
        name = name,
        size = "large",
        srcs = ["//tests/compat:allocation_failures.sh"],
        args = ["$(rootpath %s)" % suite for suite in suites],
        data = suites,
        **kwargs
    )
