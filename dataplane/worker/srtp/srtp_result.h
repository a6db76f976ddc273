// SPDX-License-Identifier: GPL-3.0-or-later
// srtp_result.h - what became of a packet in the SRTP engine.
#pragma once

enum srtp_result {
	SRTP_OK = 0,
	SRTP_SHORT,       // shorter than header and tag
	SRTP_NO_ROOM,     // no room for the tag behind the packet
	SRTP_NO_KEY,      // the key record holds no key, or one that this engine has not adopted
	SRTP_WRONG_SSRC,  // packet and stream record do not belong together
	SRTP_MKI,         // carries another key's MKI, or none
	SRTP_EXTENSION,   // header extension that cannot be encrypted or decrypted: an element reaches beyond its end
	SRTP_AUTH,        // tag did not verify
	SRTP_REPLAY,      // index received before
	SRTP_OLD,         // index behind the replay window
	SRTP_TX_REPEAT,   // index sent before, or too old to know
	SRTP_KEY_EXPIRED, // lifetime or the last index used up
	SRTP_DEVICE,      // the crypto device failed, or did not answer in time
	SRTP_RESULT_COUNT
};
