// What a stream remembers between two calls of a graph: of langid/streaming/onnx_model.py and
// windowed_model.py. A step takes whole hops: {posteriors: hops * classes numbers, speech: a flag a
// hop}.

import * as ort from "./vendor/ort.wasm.bundle.min.mjs";

export function stepperOf(metadata, session) {
  const Kind = metadata.window_samples ? WindowStepper : StateStepper;
  return new Kind(metadata, session);
}

function samplesTensor(samples) {
  return new ort.Tensor("float32", samples, [1, samples.length]);
}

// Of a graph that streams: its state goes in and out.
class StateStepper {
  constructor({ state, initial_state: values, ...metadata }, session) {
    this.session = session;
    this.most = (metadata.frames_at_once ?? Infinity) * metadata.hop_samples;
    this.state = state.map((shape, number) => {
      const size = shape.reduce((product, length) => product * length, 1);
      const data = new Float32Array(size).fill(values[number]);
      return new ort.Tensor("float32", data, [1, ...shape]);
    });
  }

  async step(samples) {
    if (samples.length <= this.most) return this.#step(samples);
    const posteriors = [];
    const speech = [];
    for (let from = 0; from < samples.length; from += this.most) {
      const found = await this.#step(samples.slice(from, from + this.most));
      posteriors.push(...found.posteriors);
      speech.push(...found.speech);
    }
    return { posteriors: Float32Array.from(posteriors), speech: Uint8Array.from(speech) };
  }

  async #step(samples) {
    const [samplesName, ...stateNames] = this.session.inputNames;
    const inputs = { [samplesName]: samplesTensor(samples) };
    stateNames.forEach((name, number) => (inputs[name] = this.state[number]));
    const results = await this.session.run(inputs);
    const [posteriors, speech, ...state] = this.session.outputNames.map((name) => results[name]);
    this.state = state;
    return { posteriors: posteriors.data, speech: speech.data };
  }
}

// Of a graph of whole utterances: with every hop it hears what there is of the window again.
class WindowStepper {
  constructor(metadata, session) {
    this.session = session;
    this.size = metadata.window_samples;
    this.hop = metadata.hop_samples;
    this.frames = this.hop / metadata.frame_samples; // of the graph, in a hop
    this.heard = new Float32Array(0);
  }

  async step(samples) {
    const posteriors = [];
    const speech = [];
    for (let from = 0; from < samples.length; from += this.hop) {
      const heard = joined(this.heard, samples.subarray(from, from + this.hop));
      this.heard = heard.slice(Math.max(0, heard.length - this.size));
      const results = await this.session.run({ samples: samplesTensor(this.heard) });
      posteriors.push(...results.posteriors.data);
      speech.push(Number(results.speech.data.slice(-this.frames).some(Boolean)));
    }
    return { posteriors: Float32Array.from(posteriors), speech: Uint8Array.from(speech) };
  }
}

export function joined(first, second) {
  const both = new Float32Array(first.length + second.length);
  both.set(first);
  both.set(second, first.length);
  return both;
}
