# SPDX-License-Identifier: GPL-3.0-or-later
# A small public key infrastructure of a test's own, made by OpenSSL's command line in a folder that ends with the test.
import pathlib
import subprocess


class Authority:
	"""Issues certificates; each is a PEM file that control may read."""

	def __init__(self, folder, name="authority"):
		self.folder, self.name, self._serial = pathlib.Path(folder), name, 0
		self.folder.chmod(0o755)
		self.file, self.key = self.path("pem"), self.path("key")
		self._run("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "30", "-keyout", self.key,
			  "-out", self.file, "-subj", f"/CN={name}", "-addext", "basicConstraints=critical,CA:TRUE")

	def path(self, end, name=None):
		return self.folder / f"{name or self.name}.{end}"

	def _run(self, *words):
		done = subprocess.run(["openssl", *map(str, words)], capture_output=True, text=True, timeout=60)
		assert done.returncode == 0, done
		for path in self.folder.iterdir():
			path.chmod(0o644)

	def issue(self, name, common=None, alternative=None, days=10, file=None, kind="ec"):
		"""(certificate, key) of this subject; `days` may be negative: it has expired."""
		self._serial += 1
		file = file or name
		certificate, key, request, extensions = (self.path(end, file) for end in ("pem", "key", "req", "ext"))
		new = ["ec", "-pkeyopt", "ec_paramgen_curve:P-256"] if kind == "ec" else ["rsa:2048"]
		self._run("req", "-new", "-newkey", *new, "-nodes", "-keyout", key, "-out", request, "-subj", f"/CN={common or name}")
		extensions.write_text(f"basicConstraints=CA:FALSE\n{f'subjectAltName={alternative}' if alternative else ''}\n")
		self._run("x509", "-req", "-in", request, "-CA", self.file, "-CAkey", self.key, "-set_serial", str(self._serial), "-days", str(days),
			  "-extfile", extensions, "-out", certificate)
		return certificate, key
