// SPDX-License-Identifier: GPL-3.0-or-later
// What the test's page does: a tone goes out, what comes in is listened to. One Call is one RTCPeerConnection.
const calls = {};
let sound = null;

class Call {
	constructor(tone, codec) {
		sound = sound || new AudioContext();
		const out = sound.createMediaStreamDestination();
		const level = new GainNode(sound, { gain: 0.4 });
		this.tone = new OscillatorNode(sound, { frequency: tone });
		this.tone.connect(level).connect(out);
		this.tone.start();
		this.pc = new RTCPeerConnection({ bundlePolicy: "max-bundle" });
		this.pc.ontrack = ({ track }) => this.listen(new MediaStream([track]));
		this.codec = codec;
		this.track = out.stream.getAudioTracks()[0];
	}

	add() {
		const transceiver = this.pc.getTransceivers()[0] || this.pc.addTransceiver("audio");
		transceiver.direction = "sendrecv";
		const { codecs } = RTCRtpReceiver.getCapabilities("audio");
		transceiver.setCodecPreferences(codecs.filter((c) => c.mimeType == `audio/${this.codec}`));
		return transceiver.sender.replaceTrack(this.track);
	}

	listen(stream) {
		this.element = new Audio(); // without one, the stream is not decoded
		this.element.srcObject = stream;
		this.element.play();
		this.ear = new AnalyserNode(sound, { fftSize: 8192 });
		sound.createMediaStreamSource(stream).connect(this.ear);
	}

	// The loudest frequency, and its level in dB.
	peak() {
		if (!this.ear)
			return null;
		const bins = new Float32Array(this.ear.frequencyBinCount);
		this.ear.getFloatFrequencyData(bins);
		const at = bins.reduce((best, value, index) => (value > bins[best] ? index : best), 0);
		return { frequency: at * sound.sampleRate / this.ear.fftSize, level: bins[at] };
	}
}

async function offer(name, tone, codec) {
	const call = calls[name] = calls[name] || new Call(tone, codec);
	await call.add();
	await call.pc.setLocalDescription();
	return call.pc.localDescription.sdp;
}

async function offerAgain(name, options) {
	const { pc } = calls[name];
	await pc.setLocalDescription(await pc.createOffer(options));
	return pc.localDescription.sdp;
}

async function answer(name, tone, codec, sdp) {
	const call = calls[name] = calls[name] || new Call(tone, codec);
	await call.pc.setRemoteDescription({ type: "offer", sdp });
	await call.add();
	await call.pc.setLocalDescription();
	return call.pc.localDescription.sdp;
}

async function answered(name, sdp) {
	await calls[name].pc.setRemoteDescription({ type: "answer", sdp });
	return true;
}

async function look(name) {
	const { pc } = calls[name];
	const found = { connection: pc.connectionState, ice: pc.iceConnectionState, peak: calls[name].peak() };
	for (const entry of (await pc.getStats()).values()) {
		if (["transport", "inbound-rtp", "outbound-rtp", "media-source"].includes(entry.type))
			found[entry.type] = entry;
		if (entry.type == "codec")
			found.codec = entry.mimeType;
	}
	return found;
}

function hangUp(name) {
	if (!calls[name])
		return false;
	calls[name].tone.stop();
	calls[name].pc.close();
	delete calls[name];
	return true;
}
