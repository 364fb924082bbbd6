"""Writes patterns.json from the patterns of ua-parser-builtins:

    pip download --no-deps ua-parser-builtins && unzip ua_parser_builtins-*.whl -d unpacked
    PYTHONPATH=unpacked python3 patterns.py > patterns.json
"""

import json
import sys
import types


def pattern(name):
    def matcher(regex, family=None, *_):
        return {"regex": regex} | ({name: family} if family else {})

    return matcher


matchers = types.ModuleType("ua_parser.matchers")
matchers.UserAgentMatcher = pattern("family_replacement")
matchers.OSMatcher = pattern("os_replacement")
matchers.DeviceMatcher = lambda *_: None
sys.modules |= {"ua_parser": types.ModuleType("ua_parser"), "ua_parser.matchers": matchers}

from ua_parser_builtins.matchers import MATCHERS  # noqa: E402

for name, patterns, end in [("browsers", MATCHERS[0], ","), ("systems", MATCHERS[1], "")]:
    rows = ",\n".join(json.dumps(row, ensure_ascii=False) for row in patterns)
    print(f'{"{" if end else ""}"{name}": [\n{rows}\n]{end or "}"}')
