#!/usr/bin/env python3
"""The Terraform tests side by side: most of their time the provider waits before it looks again. Each runs alone too."""
import glob
import os
import subprocess
import sys

FOLDER = os.path.dirname(os.path.abspath(__file__))
SKIPPED = 77


def main():
    tests = sorted(set(glob.glob(os.path.join(FOLDER, "*_test.py"))) - {os.path.join(FOLDER, "all_test.py")})
    running = {t: subprocess.Popen([sys.executable, t], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) for t in tests}
    codes = set()
    for test, process in running.items():
        said, _ = process.communicate()
        print("---- %s: exit %d\n%s" % (os.path.basename(test), process.returncode, said))
        codes.add(process.returncode)
    sys.exit(SKIPPED if codes == {SKIPPED} else 0 if codes <= {0, SKIPPED} else 1)


if __name__ == "__main__":
    main()
