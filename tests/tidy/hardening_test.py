#!/usr/bin/env python3
"""Reads from binaries that they are hardened: hardening_test.py --linked BINARY... --compiled BINARY...

--linked: position independent, everything that relocation writes is read-only afterwards and bound at the start, no
executable stack. --compiled: also stack protector and fortified functions."""
import argparse
import os
import subprocess
import sys
import unittest

linked, compiled = [], []


def readelf(binary, *options):
    return subprocess.run(["readelf", "--wide", *options, binary], check=True, text=True, capture_output=True,
                          env={**os.environ, "LC_ALL": "C"}).stdout


class Hardening(unittest.TestCase):
    def test_linked_position_independent_read_only_and_bound_at_the_start(self):
        self.assertTrue(linked)
        for binary in linked:
            with self.subTest(binary=binary):
                self.assertIn("DYN (Position-Independent Executable file)", readelf(binary, "--file-header"))
                segments = {line.split()[0]: line for line in readelf(binary, "--program-headers").splitlines()
                            if line.split()[:1]}
                self.assertIn("INTERP", segments)
                self.assertIn("GNU_RELRO", segments)
                self.assertIn(" RW ", segments["GNU_STACK"])
                dynamic = readelf(binary, "--dynamic")
                self.assertRegex(dynamic, r"\(FLAGS_1\).*\bNOW\b.*\bPIE\b")
                self.assertNotIn("(TEXTREL)", dynamic)
                self.assertNotIn("(RPATH)", dynamic)

    def test_compiled_with_stack_protector_and_fortified_functions(self):
        self.assertTrue(compiled)
        for binary in compiled:
            with self.subTest(binary=binary):
                symbols = readelf(binary, "--dyn-syms")
                self.assertIn(" __stack_chk_fail@", symbols)
                self.assertRegex(symbols, r" __\w+_chk@")


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--linked", action="append", default=[])
    parser.add_argument("--compiled", action="append", default=[])
    arguments = parser.parse_args()
    compiled = arguments.compiled
    linked = arguments.linked + compiled
    unittest.main(argv=sys.argv[:1], verbosity=2)
