"""Prints the findings of textlint, one a line: path below a folder, line, column, message, rule. Usage: findings.py FOLDER < JSON"""

import json
import os
import sys

for file in json.load(sys.stdin):
    path = os.path.relpath(file["filePath"], sys.argv[1])
    for finding in file["messages"]:
        message = " ".join(finding["message"].split())
        print(f"{path}:{finding['line']}:{finding['column']} {message} [{finding['ruleId']}]")
