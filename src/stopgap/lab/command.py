"""Running commands: argument lists, exit codes looked at, text out."""

import subprocess
from collections.abc import Sequence

from stopgap.lab.errors import CommandError, LabError

Result = subprocess.CompletedProcess[str]


def run(
    argv: Sequence[str], *, stdin: str | bytes | None = None, check: bool = True, timeout: float | None = None
) -> Result:
    """Run `argv` to its end. With `check`, an exit code other than 0 raises CommandError."""
    data = stdin.encode() if isinstance(stdin, str) else stdin
    try:
        if data is None:
            done = subprocess.run(argv, stdin=subprocess.DEVNULL, capture_output=True, check=False, timeout=timeout)
        else:
            done = subprocess.run(argv, input=data, capture_output=True, check=False, timeout=timeout)
    except FileNotFoundError:
        raise LabError(f"{argv[0]} is not installed: run `stopgap lab setup`") from None
    except subprocess.TimeoutExpired:
        raise LabError(f"`{' '.join(argv)}` did not end within {timeout:g} s") from None
    out, err = done.stdout.decode(errors="replace"), done.stderr.decode(errors="replace")
    result = Result(list(argv), done.returncode, out, err)
    if check and result.returncode != 0:
        raise CommandError(result.args, result.returncode, result.stderr or result.stdout)
    return result
