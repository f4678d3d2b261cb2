#!/usr/bin/env python3
"""What the documents say of the program is what the program says of itself, and what they point at is there."""
import functools
import glob
import os
import re
import subprocess
import sys
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "support"))
import harness


PAGES = sorted(glob.glob(os.path.join(harness.ROOT, "*.md")) + glob.glob(os.path.join(harness.ROOT, "docs", "*.md")) +
               glob.glob(os.path.join(harness.ROOT, "scripts", "*", "*.md")))


@functools.cache
def text_of(path):
    with open(path) as file:
        return file.read()


def anchors(page):
    """What the headings of a page may be linked by."""
    headings = re.findall(r"^#+ (.*)$", re.sub(r"^```.*?^```", "", text_of(page), flags=re.M | re.S), re.M)
    return {re.sub(r"[^\w -]", "", h.lower()).replace(" ", "-") for h in headings}


def code_of(page):
    """The pieces of code in a page: what is indented or between backticks, a line each, without comments."""
    text = text_of(page)
    lines = re.findall(r"^    (.*)$", text, re.M) + re.findall(r"`([^`\n]+)`", re.sub(r"^    .*$", "", text, flags=re.M))
    for line in lines:
        # Each command of a line, also of one in $(...), by itself.
        yield from re.split(r"&&|\|\||;|\||\$\(|\)", re.sub(r"(^|\s)#.*", "", line).replace('"', " "))


@functools.cache
def help_of(*words):
    return subprocess.run([harness.BINARY, *words, "--help"], stdout=subprocess.PIPE, text=True, check=True).stdout


def commands_of(*words):
    """The commands that this one has, by its own help."""
    return re.findall(r"^  ([a-z-]+) ", help_of(*words).partition("Subcommands:")[2], re.M)


def options_among(words):
    return [w.split("=")[0] for w in words if re.fullmatch(r"--?[a-z][\w-]*(=.*)?", w)]


class Pages(unittest.TestCase):
    def test_every_link_leads_somewhere(self):
        for page in PAGES:
            for target in re.findall(r"\]\(([^)\s]+)\)", text_of(page)):
                if re.match(r"[a-z]+:", target):
                    continue
                path, _, anchor = target.partition("#")
                there = os.path.normpath(os.path.join(os.path.dirname(page), path)) if path else page
                self.assertTrue(os.path.exists(there), "%s: %s" % (page, target))
                if anchor:
                    self.assertIn(anchor, anchors(there), "%s: %s" % (page, target))

    def test_every_file_that_is_named_is_there(self):
        # What a build makes is there or not.
        folders = {name for name in os.listdir(harness.ROOT)
                   if os.path.isdir(os.path.join(harness.ROOT, name)) and not name.startswith("build")}
        for page in PAGES:
            for path in re.findall(r"`([\w.-]+/[\w./-]*\w)`", text_of(page)):
                if path.split("/")[0] in folders:
                    self.assertTrue(glob.glob(os.path.join(harness.ROOT, path) + "*"), "%s: %s" % (page, path))

    def check_virga(self, page, words):
        """A command line of virga: its commands exist, and so do its options. Returns how many commands were named."""
        named = []
        for word in words:
            if not commands_of(*named) or not re.fullmatch(r"[a-z][a-z-]*", word):
                break
            self.assertIn(word, commands_of(*named), "%s: virga %s" % (page, " ".join(words)))
            named.append(word)
        for option in options_among(words):
            self.assertRegex(help_of(*named), r"(?m)(^|[\s,])%s\b" % option, "%s: virga %s" % (page, " ".join(words)))
        return len(named)

    def test_every_command_in_the_pages_exists_with_its_options(self):
        seen = set()
        for page in PAGES:
            for piece in code_of(page):
                words = [w for w in piece.split() if not re.fullmatch(r"[A-Z_]+=\S*", w)]
                if not words:
                    continue
                program = re.sub(r"^\./", "", words[0])
                if program == "virga" or program.endswith("/bin/virga"):
                    seen.add(("virga", self.check_virga(page, words[1:])))
                elif re.fullmatch(r"scripts/[\w/-]+", program):
                    script = os.path.join(harness.ROOT, program)
                    self.assertTrue(os.path.exists(script), "%s: %s" % (page, piece))
                    seen.add(program)
                    for option in options_among(words[1:]):
                        self.assertRegex(text_of(script), r"%s\b" % option, "%s: %s" % (page, piece))
        self.assertLessEqual({("virga", 2), "scripts/up", "scripts/down", "scripts/test"}, seen)


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
        self.assertIn("status", commands_of())
        for noun in commands_of():
            self.assertGreater(len(help_of(noun).splitlines()), 3, noun)

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
