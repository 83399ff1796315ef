# SPDX-License-Identifier: Apache-2.0
"""What the end-to-end tests share: processes with limits, servers, mounts, a second client."""
