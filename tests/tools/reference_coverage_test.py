"""tools/reference_coverage finds what it is for, in small made-up trees."""

import pathlib
import subprocess
import sys
import tempfile
import unittest

TOOL = sys.argv.pop(1) if len(sys.argv) > 1 else "tools/reference_coverage"

INDEX = """\
semantics 1.1 loop 2.1
semantics 1.2 loop 2.1
function event_add event2/event.h 2.1
function event_del event2/event.h 2.1
macro EV_READ event2/event.h 2.1
function evwatch_free event2/watch.h 2.2
"""
ALL = "// semantics 1.1, 1.2\n// api event_add, event_del, EV_READ\n"


class ReferenceCoverage(unittest.TestCase):
    def run_on(self, test, exceptions="", table=None):
        with tempfile.TemporaryDirectory() as folder:
            root = pathlib.Path(folder)
            (root / "tests/data").mkdir(parents=True)
            (root / "tests/data/reference-index.txt").write_text(INDEX)
            (root / "tests/data/reference-exceptions.txt").write_text(
                exceptions
            )
            (root / "tests/some_test.cc").write_text(test)
            if table is not None:
                (root / "runtime/capi").mkdir(parents=True)
                (root / "runtime/capi/abi_facts.inc").write_text(table)
            done = subprocess.run(
                [sys.executable, TOOL, "--root", folder],
                stdout=subprocess.PIPE,
                universal_newlines=True,
            )
            return done.returncode, done.stdout

    def expect_problem(self, words, *args, **kwargs):
        code, text = self.run_on(*args, **kwargs)
        self.assertEqual(1, code, text)
        self.assertIn(words, text)

    def expect_clean(self, *args, **kwargs):
        code, text = self.run_on(*args, **kwargs)
        self.assertEqual(0, code, text)

    def test_everything_named(self):
        self.expect_clean(ALL)

    def test_gap(self):
        self.expect_problem(
            "no test names api event_del", ALL.replace("event_del, ", "")
        )
        self.expect_problem(
            "no test names semantics 1.2", ALL.replace(", 1.2", "")
        )

    def test_prose_names_nothing(self):
        self.expect_problem(
            "no test names semantics 1.1", "// as semantics 1.1 says\n"
        )

    def test_unknown_names(self):
        self.expect_problem(
            "tests/some_test.cc:3: there is no api event_ad",
            ALL + "// api event_ad\n",
        )
        self.expect_problem(
            "there is no semantics 1.3", ALL + "// semantics 1.3: x\n"
        )

    def test_text_after_a_colon(self):
        self.expect_clean(ALL + "// semantics 1.1: one, two. Three\n")
        self.expect_clean(ALL + "// semantics 1.1 (not 1.0, mind)\n")

    def test_list_over_two_lines(self):
        self.expect_clean(
            "/* semantics 1.1, 1.2 */\n"
            "  // api event_add,\n  // event_del, EV_READ\n"
        )

    def test_own_extensions_may_be_named(self):
        self.expect_clean(ALL + "// api percore_post, evwatch_free\n")

    def test_exception(self):
        gap = ALL.replace("event_del, ", "")
        self.expect_clean(gap, "api event_del: not built here\n")
        self.expect_problem("a test names it", ALL, "api event_del: no\n")
        self.expect_problem("there is no such", ALL, "api event_x: no\n")
        code, _ = self.run_on(gap, "api event_del:\n")
        self.assertNotEqual(0, code, "a reason is needed")

    def test_abi_table_names_constants_but_not_functions(self):
        without = "// semantics 1.1, 1.2\n// api event_add\n"
        table = "PERCORE_ABI_VALUE(EV_READ, 2)\nPERCORE_ABI_VALUE(event_del, 1)\n"
        code, text = self.run_on(without, table=table)
        self.assertEqual(1, code)
        self.assertNotIn("EV_READ", text)
        self.assertIn("no test names api event_del", text)


if __name__ == "__main__":
    unittest.main()
