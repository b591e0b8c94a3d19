// On the audio thread: the microphone as mono blocks of 100 ms, sent to the port that it is given.

class Capture extends AudioWorkletProcessor {
  constructor() {
    super();
    this.block = new Float32Array(Math.round(sampleRate / 10));
    this.filled = 0;
    this.port.onmessage = ({ data }) => (this.listener = data);
  }

  process([channels]) {
    if (!this.listener || !channels.length) return true;
    for (let i = 0; i < channels[0].length; i += 1) {
      let sum = 0;
      for (const channel of channels) sum += channel[i];
      this.block[this.filled] = sum / channels.length;
      this.filled += 1;
      if (this.filled === this.block.length) this.send();
    }
    return true;
  }

  send() {
    this.listener.postMessage(this.block, [this.block.buffer]);
    this.block = new Float32Array(Math.round(sampleRate / 10));
    this.filled = 0;
  }
}

registerProcessor("capture", Capture);
