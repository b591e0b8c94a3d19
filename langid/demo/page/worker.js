// Processes streams beside the page's own thread, and reports every 100 ms of sound.
//
// In: {kind: "file", stream, samples} | {kind: "microphone", stream, sampleRate, port}
//     | {kind: "stop", stream}, where stream counts what the page has asked for.
// Out: {kind: "ready", metadata} | {kind: "step" | "end", stream, ...} | {kind: "failed", message}

import { Identifier } from "./identifier.js";
import { Resampler } from "./resampler.js";

const RELOAD = "look whether langid demo still runs, and reload this page";
const OTHER_BROWSER = "open this page in a current Firefox, Chrome, Edge or Safari";
const STEP_SECONDS = 0.1;
const WARM_UP_STEPS = 10; // the first ones are slow: the browser is still compiling
const STEPS_A_TURN = 20; // of a file, before the worker looks for messages

let identifier;
let current = 0;
let microphone = null;
let queue = load();

self.onmessage = ({ data }) => {
  current = data.stream; // at once: a file that is still being heard ends here
  enqueue(() => ({ file: hearFile, microphone: hearMicrophone, stop })[data.kind](data));
};

function enqueue(work) {
  queue = queue.then(work).catch((error) => fail("The model has failed", error, RELOAD));
}

function fail(what, error, remedy) {
  self.postMessage({ kind: "failed", message: `${what} (${error.message || error}): ${remedy}.` });
}

async function load() {
  try {
    const [metadata, model] = await Promise.all([
      fetched("model.json").then((answer) => answer.json()),
      fetched("model.onnx").then((answer) => answer.arrayBuffer()),
    ]);
    await prepare(metadata, new Uint8Array(model));
  } catch (error) {
    fail("The model does not come", error, RELOAD);
  }
}

async function fetched(name) {
  const answer = await fetch(name);
  if (!answer.ok) throw new Error(`${name}: the server answered ${answer.status}`);
  return answer;
}

async function prepare(metadata, model) {
  try {
    identifier = await Identifier.load(metadata, model);
    for (let i = 0; i < WARM_UP_STEPS; i += 1) {
      await identifier.feed(new Float32Array(stepSamples()));
    }
    self.postMessage({ kind: "ready", metadata });
  } catch (error) {
    fail("This browser cannot run the model", error, OTHER_BROWSER);
  }
}

function stepSamples() {
  const hops = Math.round((STEP_SECONDS * identifier.sampleRate) / identifier.hop);
  return Math.max(1, hops) * identifier.hop;
}

async function hearFile({ stream, samples }) {
  begin();
  const size = stepSamples();
  for (let from = 0, steps = 1; from < samples.length; from += size, steps += 1) {
    if (stream !== current) return;
    report("step", stream, await identifier.feed(samples.subarray(from, from + size)));
    if (steps % STEPS_A_TURN === 0) await new Promise((resolve) => setTimeout(resolve));
  }
  await end(stream);
}

// The audio thread sends its blocks of 100 ms here itself, past the page's thread.
function hearMicrophone({ stream, sampleRate, port }) {
  begin();
  microphone = { port, resampler: new Resampler(sampleRate, identifier.sampleRate) };
  port.onmessage = ({ data }) => enqueue(() => hearBlock(stream, data));
}

async function hearBlock(stream, block) {
  if (!microphone || stream !== current) return;
  report("step", stream, await identifier.feed(microphone.resampler.process(block)));
}

async function stop({ stream }) {
  if (!microphone) return;
  const { resampler } = microphone;
  closeMicrophone();
  report("step", stream, await identifier.feed(resampler.flush()));
  await end(stream);
}

function begin() {
  closeMicrophone();
  identifier.reset();
}

function closeMicrophone() {
  microphone?.port.close();
  microphone = null;
}

async function end(stream) {
  report("end", stream, await identifier.flush());
}

// What was heard in this step, and the decision over everything.
function report(kind, stream, { posteriors, speech, records }) {
  const classes = identifier.classes.length;
  const frames = speech.length;
  const speechFrames = speech.reduce((sum, flag) => sum + flag, 0);
  const step = new Array(classes).fill(0);
  posteriors.forEach((value, i) => (step[i % classes] += value / frames));
  self.postMessage({
    kind,
    stream,
    decision: identifier.decision,
    posteriors: step,
    isSpeech: frames > 0 && 2 * speechFrames >= frames,
    records,
    busySeconds: identifier.busySeconds,
  });
}
