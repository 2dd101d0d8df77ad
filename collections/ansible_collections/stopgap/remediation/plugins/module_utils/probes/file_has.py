# Copyright: the Stopgap contributors
# Apache License 2.0 (see LICENSE or https://www.apache.org/licenses/LICENSE-2.0)
"""`file_has {path, matches}`: the file's content matches a regular expression (MULTILINE)."""

import os
import re

from ansible_collections.stopgap.remediation.plugins.module_utils.durable import read_bytes
from ansible_collections.stopgap.remediation.plugins.module_utils.errors import ActionError


def probe(params):
    path, pattern = params["path"], params["matches"]
    try:
        said = b"" if os.path.realpath(path) == os.devnull else read_bytes(path)  # as a masked unit is
        text = said.decode("utf-8", "replace").replace("\r\n", "\n").replace("\r", "\n")
        found = re.search(pattern, text, re.MULTILINE)
    except FileNotFoundError:
        return False, f"{path} does not exist"
    except ActionError as error:
        return None, str(error)
    except (OSError, re.error) as error:
        return None, f"{path}: {getattr(error, 'strerror', None) or error}"
    return bool(found), f"{path} {'matches' if found else 'does not match'} {pattern}"
