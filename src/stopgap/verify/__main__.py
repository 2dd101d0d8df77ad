"""`python -m stopgap.verify`: a request on standard input, its results on standard output, both JSON."""

import json
import os
import sys

from stopgap.verify.errors import BadRequest
from stopgap.verify.runner import verify


def main() -> int:
    # Whatever anybody prints from here on is no part of the answer.
    answer = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    try:
        request = json.load(sys.stdin)
        results = verify(request)
    except (BadRequest, json.JSONDecodeError) as error:
        print(f"stopgap.verify: {error}", file=sys.stderr)
        return 1
    with answer:
        json.dump({"results": results}, answer)
    return 0


if __name__ == "__main__":
    sys.exit(main())
