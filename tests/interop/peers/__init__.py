# SPDX-License-Identifier: GPL-3.0-or-later
# Peers that nobody here wrote, each led through a call.
