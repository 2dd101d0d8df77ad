# SPDX-License-Identifier: Apache-2.0
"""Take a bad fix back: on the host itself or nowhere."""

from ansible_collections.stopgap.remediation.plugins.plugin_utils.on_host import OnHost


class ActionModule(OnHost):
    pass
