"""What can go wrong in the lab, each with its way out."""


class LabError(RuntimeError):
    """One sentence: what happened, and what to do about it."""


class SuiteGoneError(LabError):
    """The archive does not carry this release, as happens to old ones."""


class CommandError(LabError):
    """A command of the lab failed."""

    def __init__(self, argv: list[str], returncode: int, output: str) -> None:
        self.argv = argv
        self.returncode = returncode
        self.output = output
        last = " / ".join(output.strip().splitlines()[-3:]) or "no output"
        super().__init__(f"`{' '.join(argv)}` failed with exit code {returncode}: {last}")
