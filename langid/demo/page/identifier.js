// One stream of speech under onnxruntime-web: the steps of langid/streaming/streamer.py.

import { DecisionRule } from "./decision.js";
import { joined, stepperOf } from "./stepper.js";
import * as ort from "./vendor/ort.wasm.bundle.min.mjs";

ort.env.wasm.numThreads = 1; // a step is too short to share
ort.env.logLevel = "error";

export class Identifier {
  // metadata: what langid export wrote; model: the bytes of the file.
  static async load(metadata, model) {
    const session = await ort.InferenceSession.create(model, { executionProviders: ["wasm"] });
    return new Identifier(metadata, session);
  }

  constructor(metadata, session) {
    this.classes = metadata.classes;
    this.sampleRate = metadata.sample_rate;
    this.hop = metadata.hop_samples;
    this.metadata = metadata;
    this.session = session;
    this.reset();
  }

  // Forget all samples; the next sample begins a new stream.
  reset() {
    this.stepper = stepperOf(this.metadata, this.session);
    this.pending = new Float32Array(0);
    this.rule = new DecisionRule(this.classes, this.hop / this.sampleRate, this.metadata.decision);
    this.busySeconds = 0;
  }

  // Take mono samples at sampleRate: {posteriors: frames * classes numbers, speech: a flag a frame,
  // records: see DecisionRule}.
  async feed(samples) {
    const waiting = joined(this.pending, samples);
    const whole = waiting.length - (waiting.length % this.hop);
    this.pending = waiting.slice(whole);
    return this.#process(waiting.subarray(0, whole));
  }

  // Process what waits for a full hop, filled with its last sample.
  async flush() {
    const size = Math.ceil(this.pending.length / this.hop) * this.hop;
    const samples = new Float32Array(size);
    samples.set(this.pending);
    samples.fill(this.pending.at(-1), this.pending.length);
    this.pending = new Float32Array(0);
    return this.#process(samples);
  }

  get decision() {
    return this.rule.decision;
  }

  async #process(samples) {
    if (!samples.length) {
      return { posteriors: new Float32Array(0), speech: new Uint8Array(0), records: [] };
    }
    const began = performance.now();
    const { posteriors, speech } = await this.stepper.step(samples);
    const records = this.rule.update(posteriors, speech);
    this.busySeconds += (performance.now() - began) / 1000;
    return { posteriors, speech, records };
  }
}
