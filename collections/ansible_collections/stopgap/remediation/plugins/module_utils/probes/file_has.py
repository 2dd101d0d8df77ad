# Copyright: the Stopgap contributors
# Apache License 2.0 (see LICENSE or https://www.apache.org/licenses/LICENSE-2.0)
"""`file_has {path, matches}`: the file's content matches a regular expression (MULTILINE)."""

import re


def probe(params):
    path, pattern = params["path"], params["matches"]
    try:
        with open(path, encoding="utf-8", errors="replace") as handle:
            found = re.search(pattern, handle.read(), re.MULTILINE)
    except FileNotFoundError:
        return False, f"{path} does not exist"
    except (OSError, re.error) as error:
        return None, f"{path}: {getattr(error, 'strerror', None) or error}"
    return bool(found), f"{path} {'matches' if found else 'does not match'} {pattern}"
