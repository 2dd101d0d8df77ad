"""What can go wrong around a contract, apart from a step that fails."""


class ContractError(RuntimeError):
    """The contract could not be tried at all; the text says what to do."""


class GroundError(ContractError):
    """No lab host could be made vulnerable to this remedy; the text says what is missing and how to give it."""
