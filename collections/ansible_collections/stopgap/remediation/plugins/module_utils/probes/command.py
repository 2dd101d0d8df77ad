# Copyright: the Stopgap contributors
# Apache License 2.0 (see LICENSE or https://www.apache.org/licenses/LICENSE-2.0)
"""`command: CMD`: its output is as described. An exit code that is not in `rc` is no answer."""

from ansible_collections.stopgap.remediation.plugins.module_utils import command
from ansible_collections.stopgap.remediation.plugins.module_utils.errors import Surprise


def probe(params):
    try:
        answer = command.ask(params)
    except Surprise as surprise:
        return None, str(surprise)
    return answer.matched, answer.reason
