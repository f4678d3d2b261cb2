#!/usr/bin/env python3
"""Writes a C++ file with the text of the schema's migrations: embed_migrations.py OUTPUT MIGRATION.sql..."""
import os
import sys

output, files = sys.argv[1], sorted(sys.argv[2:], key=os.path.basename)
for number, path in enumerate(files, start=1):
    if not os.path.basename(path).startswith("%04d_" % number):
        sys.exit("%s: expected migration number %04d; numbers have no gaps" % (path, number))
lines = ['#include "core/store/migrations.h"', "", "namespace virga::store {", "", "static const Migration table[] = {"]
for path in files:
    with open(path, encoding="utf-8") as sql:
        text = sql.read()
    if ')sql"' in text:
        sys.exit("%s: contains the delimiter" % path)
    lines.append('    {"%s", R"sql(%s)sql"},' % (os.path.basename(path)[:-4], text))
lines += ["};", "", "std::span<const Migration> migrations() { return table; }", "", "}  // namespace virga::store", ""]
os.makedirs(os.path.dirname(output), exist_ok=True)
with open(output, "w", encoding="utf-8") as cpp:
    cpp.write("\n".join(lines))
