# Copyright: the Stopgap contributors
# Apache License 2.0 (see LICENSE or https://www.apache.org/licenses/LICENSE-2.0)


class ModuleDocFragment:
    """The option every module of the flow shares."""

    DOCUMENTATION = r"""
options:
  remedies:
    description:
      - Resolved remedies, as C(python -m stopgap.remedy resolve) or M(stopgap.remediation.remedies) returns them.
      - One call handles the whole list, since it is the round trip that costs.
    type: list
    elements: dict
    required: true
"""
