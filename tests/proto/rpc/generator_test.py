"""generator_test.py EVENT_RPCGEN: its command line, and what it says of bad input."""

import collections
import contextlib
import io
import os
import sys
import tempfile
import unittest

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.dirname(os.path.realpath(sys.argv.pop(1))))

import event_rpcgen  # noqa: E402

Done = collections.namedtuple("Done", "returncode stdout stderr")
GOOD = "struct a {\n  int x = 1;\n}\n"


class Generator(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.TemporaryDirectory()
        self.addCleanup(self.folder.cleanup)

    def run_with(self, text, *arguments):
        with open(os.path.join(self.folder.name, "in.rpc"), "w") as stream:
            stream.write(text)
        before = os.getcwd()
        os.chdir(self.folder.name)
        try:
            out, err = io.StringIO(), io.StringIO()
            with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
                code = event_rpcgen.main(list(arguments) or ["--quiet", "in.rpc"])
            return Done(code, out.getvalue(), err.getvalue())
        finally:
            os.chdir(before)

    def read(self, name):
        with open(os.path.join(self.folder.name, name)) as stream:
            return stream.read()

    # semantics 24.2
    def test_outputs(self):
        done = self.run_with(GOOD)
        self.assertEqual((done.returncode, done.stdout, done.stderr), (0, "", ""))
        self.assertIn("EVENT_RPCOUT_IN_GEN_H_", self.read("in.gen.h"))
        self.assertIn('#include "in.gen.h"', self.read("in.gen.c"))
        done = self.run_with(GOOD, "in.rpc", "one.c")
        self.assertEqual(done.stdout, "writing one.h\nwriting one.c\n")
        self.assertIn('#include "one.h"', self.read("one.c"))
        self.run_with(GOOD, "in.rpc", "x.h", "y.c")
        self.assertIn('#include "x.h"', self.read("y.c"))
        self.assertEqual(self.run_with(GOOD, "--quiet").returncode, 1)
        self.assertEqual(self.run_with(GOOD, "not-there.rpc").returncode, 1)

    # semantics 24.1
    def test_what_is_copied(self):
        self.run_with('#include <x.h>\n#ifdef Y\n#include "z.h"\n#endif\n'
                      "#define N 5 /* five */\n// no\n/* no\n no */" + GOOD)
        impl, header = self.read("in.gen.c"), self.read("in.gen.h")
        self.assertIn('#include <x.h>\n#ifdef Y\n#include "z.h"\n#endif\n', impl)
        self.assertIn("#define N 5\n", header)

    def test_cpp(self):
        done = self.run_with(GOOD, "--quiet", "--cpp=one::two", "in.rpc")
        self.assertEqual(done, (0, "", ""))
        self.assertIn("namespace one::two {", self.read("in.rpc.h"))
        self.assertIn('#include "in.rpc.h"', self.read("in.rpc.cc"))
        done = self.run_with(GOOD, "--cpp=1x", "in.rpc")
        self.assertEqual(done, (1, "", "not a namespace: 1x\n"))
        for text, expected in [
            ("struct a {\n  int class = 1;\n}\n", "expected a name that C++ leaves"),
            ("struct a {\n  optional struct[a] x = 1;\n}\n", "expected an array for x"),
            ('#include "b.h"\nstruct a { \nstruct[b] x = 1;\n}\n', "of this file, not b"),
        ]:
            done = self.run_with(text, "--cpp=n", "in.rpc")
            self.assertEqual(done.returncode, 1)
            self.assertIn(expected, done.stderr)

    # semantics 24.1
    def test_errors(self):
        entry = "struct a {\n  %s\n}\n"
        for text, line, expected in [
            ("", 1, "expected at least one structure"),
            ("struct a {\n}\n", 2, "expected an entry of a"),
            ("struct a\n{\n", 1, "expected 'struct NAME {', not: struct a"),
            ("struct a {\n int x = 1;\n", 3, "expected '}' for struct a of line 1"),
            (GOOD + "int x = 1;\n", 4, "expected 'struct NAME {'"),
            (GOOD + GOOD, 4, "expected another name than a, which line 1 has"),
            (GOOD + "/* open", 4, "expected */ for the comment"),
            ("#pragma x\n" + GOOD, 1, "not #pragma"),
            ("#include x\n" + GOOD, 1, 'expected #include "FILE" or <FILE>'),
            (entry % "int x = 1", 2, "expected ';' at the end of an entry of a"),
            (entry % "int x;", 2, "expected '[optional|array] TYPE NAME[LENGTH] = TAG;'"),
            (entry % "long x = 1;", 2, "expected string, int, int64, bytes or struct"),
            (entry % "struct x = 1;", 2, "expected the name of a structure"),
            (entry % "int[b] x = 1;", 2, "expected no [b] after int"),
            (entry % "struct[b] x = 1;", 2, "expected a structure of this file"),
            (entry % "optional array int x = 1;", 2, "expected only one of"),
            (entry % "array array int x = 1;", 2, "expected only one of"),
            (entry % "required int x = 1;", 2, "expected optional or array"),
            (entry % "array bytes x = 1;", 2, "expected an array of string"),
            (entry % "int x[4] = 1;", 2, "expected a length of bytes only, not of int"),
            (entry % "bytes x[0] = 1;", 2, "expected a length from 1"),
            (entry % "bytes x[n] = 1;", 2, "expected a length from 1"),
            (entry % "int x = one;", 2, "expected a tag, decimal or 0x hexadecimal"),
            (entry % "int x = -1;", 2, "expected a tag"),
            (entry % "int x = 4294967296;", 2, "expected a tag"),
            (entry % "int x = 1;\n  int y = 0x1;", 3, "expected another tag than 1"),
            (entry % "int x = 1;\n  int X = 2;", 3, "expected another name than X"),
            (entry % "int while = 1;", 2, "expected a name that is no keyword of C"),
            (entry % "#define X 1", 2, "expected an entry of a or '}', not a directive"),
        ]:
            with self.subTest(text=text):
                done = self.run_with(text)
                self.assertEqual(done.returncode, 1)
                self.assertEqual(done.stdout, "")
                self.assertTrue(
                    done.stderr.startswith(f"in.rpc:{line}: ") and expected in done.stderr,
                    f"{done.stderr!r} is not in.rpc:{line}: ...{expected}")
                self.assertFalse(
                    os.path.exists(os.path.join(self.folder.name, "in.gen.h")))


if __name__ == "__main__":
    unittest.main()
