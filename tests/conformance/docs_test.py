#!/usr/bin/env python3
"""What the documents say of the program is what the program says of itself."""
import os
import re
import subprocess
import sys
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "support"))
import harness


class Documents(unittest.TestCase):
    def test_the_coverage_page_is_the_action_tables(self):
        said = subprocess.run([harness.BINARY, "api-coverage"], stdout=subprocess.PIPE, text=True, check=True).stdout
        with open(os.path.join(harness.ROOT, "docs", "api-coverage.md")) as page:
            self.assertEqual(page.read(), said, "write it anew: virga api-coverage > docs/api-coverage.md")

    def test_the_page_of_error_codes_is_the_list_of_codes(self):
        said = subprocess.run([harness.BINARY, "error-codes"], stdout=subprocess.PIPE, text=True, check=True).stdout
        with open(os.path.join(harness.ROOT, "docs", "error-codes.md")) as page:
            self.assertEqual(page.read(), said, "write it anew: virga error-codes > docs/error-codes.md")

    def test_every_command_explains_itself(self):
        def explain(*words):
            return subprocess.run([harness.BINARY, *words, "--help"], stdout=subprocess.PIPE, text=True, check=True).stdout
        nouns = re.findall(r"^  ([a-z-]+) ", explain().split("Subcommands:")[1], re.M)
        self.assertIn("status", nouns)
        for noun in nouns:
            self.assertGreater(len(explain(noun).splitlines()), 3, noun)

    def test_wrong_usage_is_exit_code_2(self):
        for words in (["nonsense"], ["image", "import"], ["status", "--wait", "soon"]):
            done = subprocess.run([harness.BINARY, *words], stdout=subprocess.PIPE, stderr=subprocess.PIPE)
            self.assertEqual(done.returncode, 2, words)
            self.assertTrue(done.stderr)

    def complaint(self, *words):
        return subprocess.run([harness.BINARY, *words], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True).stderr

    def test_who_mistypes_a_command_is_told_which_there_are(self):
        self.assertRegex(self.complaint("bogus"), "There is no command 'bogus'.*\n.*status.*image")
        self.assertRegex(self.complaint("image", "bogus"), "There is no command 'bogus'.*\n.*import.*list")
        self.assertRegex(self.complaint(), "A command is required.*\n.*status.*image")

    def test_a_directory_is_no_image_and_is_called_one(self):
        self.assertIn("is a directory", self.complaint("image", "import", harness.ROOT, "--name", "x"))


if __name__ == "__main__":
    harness.main()
