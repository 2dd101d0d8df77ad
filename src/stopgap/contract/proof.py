"""What a remedy's checks say of a host whatever its case: also where no verb would ask them."""

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from stopgap.contract.errors import ContractError
from stopgap.verify.errors import BadRequest
from stopgap.verify.inventory import ask_ansible
from stopgap.verify.runner import verify
from stopgap.verify.verdict import Verdict


@dataclass(frozen=True)
class Prover:
    """One remedy, one host."""

    remedy: dict[str, Any]
    host: str
    inventory: Path

    def __call__(self, phase: str, mitigation: str) -> Verdict:
        """`phase` is contracts.md §5's: "mitigation", or "fix" beside the mitigation that is in force ("" for none).

        Raises ContractError.
        """
        beside = "held" if phase == "fix" else "mitigation"
        target = {"remedy": self.remedy["id"], "phase": phase} | ({beside: mitigation} if mitigation else {})
        request = {"remedies": [self.remedy], "targets": {self.host: [target]}}
        try:
            (told,) = verify(request | {"connections": self._connections})[self.host]
        except BadRequest as error:
            raise ContractError(str(error)) from None
        return Verdict(told["verdict"], told["reason"])

    @cached_property
    def _connections(self) -> dict[str, dict[str, Any]]:
        """Asked once, 1.5 s: no remedy changes how a host is reached."""
        return ask_ansible(self.host, str(self.inventory))
