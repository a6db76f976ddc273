# SPDX-License-Identifier: GPL-3.0-or-later
# Namespaces, peers and evidence for the end-to-end tests and for deploy/demo. Standard library only.
