# SPDX-License-Identifier: GPL-3.0-or-later
# Known sound in, measured sound out. A phone plays one tone; at the far end Goertzel filters tell whether that tone, and
# no other, came out, for how long and how clean.
import array
import math
import struct
import wave

RATE = 8000
TONE_A = 440.0  # the access phone speaks
TONE_C = 660.0  # the core phone speaks
WINDOW = 400    # samples, 50 ms: bins of 20 Hz, so 440 and 660 are centred on one


def write_tone(path, frequency, seconds, level=0.4):
	"""A mono 16 bit file with one tone; frequency 0 is silence."""
	n = int(RATE * seconds)
	samples = array.array("h", (int(32767 * level * math.sin(2 * math.pi * frequency * i / RATE)) for i in range(n)))
	with wave.open(str(path), "wb") as out:
		out.setnchannels(1)
		out.setsampwidth(2)
		out.setframerate(RATE)
		out.writeframes(samples.tobytes())


def read_wave(path):
	"""(samples of the first channel, rate); bears a header that was never completed, as a running recorder leaves it."""
	with open(path, "rb") as f:
		raw = f.read()
	at = raw.find(b"fmt ")
	data = raw.find(b"data", at)
	if at < 0 or data < 0:
		return array.array("h"), RATE
	channels, rate = struct.unpack_from("<HI", raw, at + 10)
	body = raw[data + 8:]
	samples = array.array("h", body[:len(body) // (2 * channels) * 2 * channels])
	return samples[::channels], rate


def goertzel(samples, frequency, rate):
	"""Power of one frequency as a share of the whole, 0..1."""
	coefficient = 2 * math.cos(2 * math.pi * frequency / rate)
	s1 = s2 = energy = 0.0
	for x in samples:
		s1, s2 = x + coefficient * s1 - s2, s1
		energy += x * x
	if energy == 0:
		return 0.0
	power = s1 * s1 + s2 * s2 - coefficient * s1 * s2
	return min(1.0, 2 * power / (len(samples) * energy))


class Heard:
	"""What a recording holds of `frequency`."""

	def __init__(self, samples, rate, frequency):
		window = WINDOW * rate // RATE
		self.seconds_recorded = len(samples) / rate
		self.seconds_clean = self.seconds_other = self.seconds_silent = 0.0
		for start in range(0, len(samples) - window + 1, window):
			part = samples[start:start + window]
			loud = math.sqrt(sum(x * x for x in part) / window)
			if loud < 200: # -44 dBFS: below anything that write_tone() makes
				self.seconds_silent += window / rate
			elif goertzel(part, frequency, rate) > 0.9: # signal to all else better than 9.5 dB
				self.seconds_clean += window / rate
			else:
				self.seconds_other += window / rate

	def ok(self, seconds):
		"""At least `seconds` of the tone, and at most a tenth as much of anything else (edges, one concealed loss)."""
		return self.seconds_clean >= seconds and self.seconds_other <= 0.1 * self.seconds_clean + 0.1

	def __repr__(self):
		return (f"clean {self.seconds_clean:.2f} s, other {self.seconds_other:.2f} s, "
			f"silent {self.seconds_silent:.2f} s of {self.seconds_recorded:.2f} s")


def listen(path, frequency):
	return Heard(*read_wave(path), frequency)


def _ulaw_to_linear(byte):
	byte = ~byte & 0xFF
	value = ((byte & 0x0F) << 3) + 0x84 << ((byte & 0x70) >> 4)
	return 0x84 - value if byte & 0x80 else value - 0x84


def _alaw_to_linear(byte):
	byte ^= 0x55
	value, segment = (byte & 0x0F) << 4, (byte & 0x70) >> 4
	value = value + 8 if segment == 0 else value + 0x108 << segment - 1
	return value if byte & 0x80 else -value


_TABLE = {0: [_ulaw_to_linear(b) for b in range(256)], 8: [_alaw_to_linear(b) for b in range(256)]}


def decode_g711(payload, payload_type):
	table = _TABLE[payload_type]
	return array.array("h", (table[b] for b in payload))


def encode_ulaw(sample):
	sign = 0x80 if sample < 0 else 0
	value = min(abs(sample), 32635) + 0x84
	exponent = value.bit_length() - 8
	return ~(sign | exponent << 4 | value >> exponent + 3 & 0x0F) & 0xFF


def ulaw_tone(frequency, first_sample, n=160, level=0.4):
	return bytes(encode_ulaw(int(32767 * level * math.sin(2 * math.pi * frequency * (first_sample + i) / RATE)))
		     for i in range(n))
