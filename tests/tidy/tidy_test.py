#!/usr/bin/env python3
"""The tree's own rules, checked on its sources: who may include what, how long a function may be, no paths of a
developer's machine, SQL only as literals, and that documents list what the code has."""
import os
import re
import subprocess
import unittest

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
HERE = os.path.relpath(os.path.dirname(os.path.abspath(__file__)), ROOT)
PARTS = ("api", "cli", "compute", "control", "core", "daemon", "hostapi", "network", "storage")
MAX_FUNCTION_LINES = 70


def read(path):
    with open(os.path.join(ROOT, path), encoding="utf-8", errors="replace") as file:
        return file.read()


def files(*folders, suffixes):
    """Paths below the folders, relative to the root, without build trees."""
    found = []
    for folder in folders:
        for place, below, names in os.walk(os.path.join(ROOT, folder)):
            below[:] = [b for b in below if not b.startswith((".", "build", "__pycache__", "node_modules"))]
            found += [os.path.relpath(os.path.join(place, n), ROOT) for n in names if n.endswith(suffixes)]
    return sorted(found)


def sources():
    return files(*PARTS, suffixes=(".cpp", ".h"))


SERVICES = ("compute", "network", "storage")
VALUES = tuple(s + "/wanted.h" for s in SERVICES)  # what crosses the host API
CONTROL_HALVES = tuple(s + "/" for s in SERVICES)

# Folder -> what its files may include from this tree, besides their own folder. The longest matching folder decides;
# a service's host/ is reached only where it is named.
MAY_INCLUDE = {
    "core": (),
    "compute": ("core/",),
    "network": ("core/",),
    "storage": ("core/",),
    "compute/host": ("core/", "compute/wanted.h"),
    "network/host": ("core/", "network/wanted.h"),
    "storage/host": ("core/", "storage/wanted.h"),
    "hostapi": ("core/",) + VALUES,
    "hostapi/agent": ("core/", "hostapi/", "compute/host/", "network/host/", "storage/host/") + VALUES,
    "hostapi/client": ("core/", "hostapi/") + VALUES,
    "hostapi/server": ("core/", "hostapi/") + VALUES,
    "api": ("core/", "hostapi/host.h", "api/"),
    "api/http": ("core/",),
    "api/auth": ("core/",),
    "api/codec": ("core/", "api/model/"),
    "api/actions": ("core/", "api/", "hostapi/host.h") + CONTROL_HALVES,
    "api/workflows": ("core/", "api/") + CONTROL_HALVES,
    "control": ("core/", "api/", "hostapi/") + CONTROL_HALVES,
    "cli": ("core/", "hostapi/"),
    "daemon": tuple(p + "/" for p in PARTS),
}

# Headers of libraries that one adapter alone may see.
ADAPTERS = {
    r"libvirt/": ("compute/host/",),
    r"pugixml": ("compute/host/",),
    r"netlink/|linux/(rtnetlink|if_link|if_bridge|neighbour|fib_rules)": ("network/host/",),
    r"nftables/": ("network/host/",),
    r"boost/(beast|asio)": ("api/http/", "compute/host/"),
    r"SQLiteCpp|sqlite3\.h": ("core/store/",),
    r"toml\+\+": ("core/",),
    r"curl/": ("cli/", "hostapi/client/"),
    r"CLI/": ("cli/",),
    r"seccomp\.h|cap-ng\.h": ("storage/host/", "daemon/"),
}


def folder_rule(path):
    """The entry of MAY_INCLUDE that a file falls under: (folder, allowed prefixes)."""
    folder = os.path.dirname(path)
    while folder:
        if folder in MAY_INCLUDE:
            return folder, MAY_INCLUDE[folder]
        folder = os.path.dirname(folder)
    return None, ()


def may_include(path, target):
    folder, allowed = folder_rule(path)
    if folder is None:
        return False
    for prefix in (folder + "/",) + allowed:
        if not target.startswith(prefix):
            continue
        host_half = re.match(r"(compute|network|storage)/host/", target)
        return not host_half or "/host" in prefix or folder == "daemon"
    return False


class Tidy(unittest.TestCase):
    def assert_nothing(self, violations, rule):
        self.assertFalse(violations, "%s\n  %s" % (rule, "\n  ".join(violations)))

    def test_include_rule(self):
        violations = []
        for path in sources():
            for target in re.findall(r'^#include "([^"]+)"', read(path), re.M):
                if target.split("/")[0] in PARTS and not target.endswith(".def") and not may_include(path, target):
                    violations.append("%s includes %s" % (path, target))
        self.assert_nothing(violations, "not in MAY_INCLUDE (see docs/architecture.md):")

    def test_host_halves_never_see_the_store(self):
        violations = [p for p in sources() if ("/host/" in p or p.startswith("hostapi/agent/"))
                      and re.search(r'^#include "core/(store|identity)/', read(p), re.M)]
        self.assert_nothing(violations, "the half that runs as root includes the store:")

    def test_library_headers_stay_in_their_adapter(self):
        violations = []
        for path in sources():
            for header in re.findall(r"^#include <([^>]+)>", read(path), re.M):
                for pattern, folders in ADAPTERS.items():
                    if re.match(pattern, header) and not path.startswith(folders):
                        violations.append("%s includes <%s>" % (path, header))
        self.assert_nothing(violations, "headers outside their adapter:")

    def test_functions_fit_a_screen(self):
        violations = []
        for path in sources() + files("tests/unit", "tests/support", suffixes=(".cpp",)):
            lines = read(path).splitlines()
            for start, line in enumerate(lines):
                head = re.match(r"( *)(?!namespace|class|struct|enum|union|extern|using)\S.*\{$", line)
                if not head or len(head.group(1)) > 2 or ")" not in line or line.endswith(("= {", "= {{")):
                    continue
                end = next((i for i in range(start + 1, len(lines)) if lines[i].startswith(head.group(1) + "}")), start)
                if end - start + 1 > MAX_FUNCTION_LINES:
                    violations.append("%s:%d: %d lines" % (path, start + 1, end - start + 1))
        self.assert_nothing(violations, "functions of more than %d lines:" % MAX_FUNCTION_LINES)

    def test_no_paths_of_a_developers_machine(self):
        pattern = re.compile("/" + r"(work|farm|home/[a-z]+|root/[a-z.])" + "/")
        listed = subprocess.run(["git", "-C", ROOT, "ls-files"], capture_output=True, text=True)
        paths = listed.stdout.splitlines() if listed.returncode == 0 else sources()
        violations = []
        for path in paths:
            if path.startswith(HERE) or not os.path.isfile(os.path.join(ROOT, path)):
                continue
            for number, line in enumerate(read(path).splitlines(), 1):
                if pattern.search(line):
                    violations.append("%s:%d: %s" % (path, number, line.strip()[:100]))
        self.assert_nothing(violations, "paths of somebody's machine:")

    def test_threat_C12_sql_is_only_written_as_literals(self):
        call = re.compile(r"\b(?:tx|transaction|reader|store_tx)_?\s*\.\s*(?:template )?"
                          r"(?:execute|all|one|for_each|exists|number)\s*(?:<[^;()]*?>)?\(\s*([^\s].{0,40})")
        violations = []
        for path in sources():
            text = read(path)
            for found in call.finditer(text):
                # Columns that several queries share are macros of literals.
                if not re.match(r'R?"|VIRGA_[A-Z_]+\b', found.group(1)):
                    violations.append("%s:%d: %s" % (path, text.count("\n", 0, found.start()) + 1, found.group(0)[:90]))
        self.assert_nothing(violations, "SQL that is not a literal:")

    def test_try_is_not_inside_an_aggregate(self):
        # g++ 12 does not destroy the members already made when TRY returns from inside the braces: they leak.
        violations = []
        for path in sources():
            for number, line in enumerate(read(path).splitlines(), 1):
                if re.search(r"\{\w+[^{}]*, [^{}]*TRY\(|^\s+\.\w+ = TRY\(", line):
                    violations.append("%s:%d: %s" % (path, number, line.strip()[:100]))
        self.assert_nothing(violations, "TRY behind other members of an aggregate (give it a statement of its own):")

    def test_no_loop_runs_over_what_its_own_head_lets_go(self):
        # What a temporary pointer in the head of the loop points to is gone before the first round: keep the pointer.
        violations = []
        for path in sources():
            for number, line in enumerate(read(path).splitlines(), 1):
                if re.search(r"\bfor \([^;]* : [^;]*\)->", line):
                    violations.append("%s:%d: %s" % (path, number, line.strip()[:100]))
        self.assert_nothing(violations, "loops over parts of a temporary:")

    def test_threat_H02_no_shell(self):
        pattern = re.compile(r"\b(?:std::|::)?(?:system|popen)\s*\(|\"(?:/bin/)?(?:ba)?sh\"")
        violations = []
        for path in sources():
            for number, line in enumerate(read(path).splitlines(), 1):
                if pattern.search(line.split("//")[0]):
                    violations.append("%s:%d: %s" % (path, number, line.strip()[:100]))
        self.assert_nothing(violations, "a shell:")

    def test_threat_E02_every_tool_call_names_the_format(self):
        violations = []
        for path in sources():
            for found in re.finditer(r'"qemu-img", "(\w+)"([^;]*)', read(path)):
                if '"-f"' not in found.group(2) and '"-O"' not in found.group(2):
                    violations.append("%s: qemu-img %s" % (path, found.group(1)))
        self.assert_nothing(violations, "qemu-img without a format:")

    def test_every_threat_has_a_test_or_a_reason(self):
        documented = set(re.findall(r"^\| ([A-Z]\d\d) \|", read("docs/threat-model.md"), re.M))
        self.assertTrue(documented)
        tested = set()
        for path in files("tests", suffixes=(".cpp", ".py")):
            tested |= {t.upper() for t in re.findall(r"threat_([a-z]\d\d)", read(path), re.I)}
        excepted = dict(re.findall(r"^([A-Z]\d\d)\s+(\S.*)$", read(HERE + "/threats_without_a_test.txt"), re.M))
        self.assert_nothing(sorted(documented - tested - set(excepted)), "threats with neither a test nor a reason:")
        self.assert_nothing(sorted(set(excepted) & tested), "these have a test now; take them off the list:")
        self.assert_nothing(sorted(set(excepted) - documented), "not in docs/threat-model.md:")

    def test_documented_settings_are_the_settings(self):
        in_code = set(re.findall(r'^\s*\{"([a-z_]+\.[a-z_]+)",', read("core/config.cpp"), re.M))
        in_document = set(re.findall(r"^\| `([a-z_]+\.[a-z_]+)` \|", read("docs/configuration.md"), re.M))
        self.assertTrue(in_code)
        self.assertEqual(in_code, in_document)


if __name__ == "__main__":
    unittest.main(verbosity=2)
