# SPDX-License-Identifier: GPL-3.0-or-later
# The call records of a gateway under test: each line parsed and held against the documented schema as it is read.
import json
import pathlib
import time

import jsonschema

ROOT = pathlib.Path(__file__).resolve().parents[3]
_validator = jsonschema.Draft7Validator(json.loads((ROOT / "docs" / "call-record.schema.json").read_text()))


def _unique(pairs):
	keys = [key for key, _ in pairs]
	assert len(keys) == len(set(keys)), keys
	return dict(pairs)


def read(*files):
	"""Of these files, in order. A line that is not whole, not JSON or not what the schema says is an error."""
	found = []
	for file in files:
		raw = file.read_bytes() if file.exists() else b""
		assert raw == b"" or raw.endswith(b"\n"), raw[-200:]
		for line in raw.splitlines():
			record = json.loads(line, object_pairs_hook=_unique)
			_validator.validate(record)
			found.append(record)
	return found


def wait(file, number, timeout=15):
	"""Until there are so many; all of them. Half a line may be seen while it is written."""
	deadline = time.monotonic() + timeout
	while True:
		lines = file.read_bytes().count(b"\n") if file.exists() else 0
		if lines >= number:
			return read(file)
		assert time.monotonic() < deadline, f"{lines} of {number} records after {timeout} s"
		time.sleep(0.05)
