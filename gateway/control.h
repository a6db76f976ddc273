// SPDX-License-Identifier: GPL-3.0-or-later
// control.h - the process that speaks with the network: SIP, DTLS, RTCP. Started by the supervisor alone.
#pragma once

int control_main(void); // returns the exit status
