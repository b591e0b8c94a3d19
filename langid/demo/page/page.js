// The page: what its controls do, and what the worker's answers change.

import { firstDecisive, judge, lastDecisive } from "./decision.js";
import { decodeFile, openMicrophone, Player } from "./sound.js";
import { verdict, View } from "./view.js";

const QUIET_SECONDS = 4; // of a microphone without speech, before the page says what to do
const LIVE_SPAN_SECONDS = 20; // of the timeline, while the microphone is heard
const FILE_TROUBLE = "choose a recording with a voice in it, or a louder one.";
const MICROPHONE_QUIET =
  "check that the microphone is not muted and is the one that the browser uses, and speak closer" +
  " to it.";

const element = (id) => document.getElementById(id);
const [listen, file, play, threshold] = ["listen", "file", "play", "threshold"].map(element);
const worker = new Worker("worker.js", { type: "module" });

let view;
let sampleRate;
let unknownBelow;
let stream = 0; // counts what was asked for; answers for an earlier one are late
let source = null; // {name, samples} of a file, or {microphone}
let player = null;
let steps = [];
let decideAt = 0.9; // the confidence of a decision, where the model does not set it
let decided = null; // the first record of a confidence that reached it
let ended = false; // whether all of the source was heard
let place = null; // seconds into the file, while it plays
let drawing = false;

worker.onmessage = ({ data }) => {
  if (data.kind === "ready") ready(data.metadata);
  else if (data.kind === "failed") fail(data.message);
  else if (data.stream === stream) update(data);
};
worker.onerror = () =>
  fail(
    "This browser cannot run the model: open this page in a current Firefox, Chrome, Edge or" +
      " Safari.",
  );

function ready(metadata) {
  sampleRate = metadata.sample_rate;
  unknownBelow = metadata.decision.unknown_below;
  view = new View(metadata.classes);
  decideAt = metadata.decision.decide_at || decideAt;
  showThreshold();
  element("about").textContent = `${metadata.file} knows ${metadata.classes.join(", ")}`;
  listen.disabled = file.disabled = false;
  say("Ready: use the microphone, or choose a file.");
  draw();
}

function showThreshold() {
  threshold.value = Math.round(100 * decideAt);
  element("threshold-value").textContent = `${threshold.value}\u00a0%`;
}

const say = (sentence) => write("status", sentence);
const complain = (sentence) => write("trouble", sentence);

// What is written anew is read out anew, so only what differs is.
function write(id, sentence) {
  if (element(id).textContent !== sentence) element(id).textContent = sentence;
}

function fail(sentence) {
  endMicrophone();
  say("");
  complain(sentence);
}

// Forget the stream before, whatever it was; the answers to it come too late from here on.
function begin(next) {
  player?.stop();
  endMicrophone();
  stream += 1;
  source = next;
  steps = [];
  decided = place = null;
  ended = false;
  play.hidden = true;
  complain("");
  draw();
  return stream;
}

async function startListening() {
  const number = begin(null);
  say("Allow the microphone where the browser asks for it.");
  listen.disabled = true;
  try {
    const microphone = await openMicrophone(() => stopListening());
    if (number !== stream) {
      await microphone.close(); // a file was chosen meanwhile
      return;
    }
    source = { microphone };
    listen.textContent = "Stop the microphone";
    tell();
    const { port } = microphone;
    const message = { kind: "microphone", stream, sampleRate: microphone.sampleRate, port };
    worker.postMessage(message, [port]);
  } catch (error) {
    if (number === stream) fail(error.message);
  } finally {
    listen.disabled = false;
  }
}

function stopListening() {
  endMicrophone();
  worker.postMessage({ kind: "stop", stream });
}

function endMicrophone() {
  source?.microphone?.close();
  if (source?.microphone) source = {};
  listen.textContent = "Use the microphone";
}

async function hearFile(chosen) {
  const number = begin(null);
  say(`Reading ${chosen.name}.`);
  try {
    const samples = await decodeFile(chosen, sampleRate);
    if (number !== stream) return;
    source = { name: chosen.name, samples };
    say(`Hearing ${chosen.name}.`);
    worker.postMessage({ kind: "file", stream, samples });
  } catch (error) {
    if (number === stream) fail(error.message);
  }
}

function update(step) {
  if (step.decision.heardSeconds > (steps.at(-1)?.decision.heardSeconds ?? 0)) steps.push(step);
  decided ??= firstDecisive([step], decideAt);
  if (step.kind === "end") conclude(step);
  else if (source.microphone) noticeQuiet(step.decision);
  tell();
  draw();
}

// The decision after some steps at the confidence of the slider, whatever the model's own is.
function decisionAfter(heard) {
  const { decision } = heard.at(-1);
  const label = lastDecisive(heard, decideAt)?.label ?? null;
  return { ...decision, ...judge(view.classes, decision.posteriors, label, unknownBelow) };
}

// Say in the status what is decided; it changes with the slider too.
function tell() {
  if (ended) {
    say(conclusion());
  } else if (source?.microphone && decided) {
    say(`${decided.label}, decided after ${decided.speechSeconds.toFixed(2)} s of speech.`);
  } else if (source?.microphone) {
    say("Listening: speak.");
  }
}

function conclusion() {
  const decision = steps.length ? decisionAfter(steps) : null;
  if (!decision?.speechSeconds) return "";
  const name = source.name ? `${source.name}: ` : "";
  return `${name}${verdict(decision, ",")}, from ${decision.speechSeconds.toFixed(1)} s of speech.`;
}

function noticeQuiet({ heardSeconds, speechSeconds }) {
  if (speechSeconds) complain("");
  else if (heardSeconds >= QUIET_SECONDS) complain(`No speech heard yet: ${MICROPHONE_QUIET}`);
}

function conclude({ decision }) {
  ended = true;
  if (!decision.speechSeconds) {
    complain(
      source.name
        ? `No speech was heard in ${source.name}: ${FILE_TROUBLE}`
        : `No speech was heard: ${MICROPHONE_QUIET}`,
    );
  }
  play.hidden = !source.samples?.length;
  view.describeTimeline(steps);
}

function togglePlay() {
  if (player) {
    player.stop();
    return;
  }
  play.textContent = "Stop";
  place = 0;
  const move = (seconds) => {
    place = seconds;
    draw();
  };
  player = new Player(source.samples, sampleRate, move, () => {
    player = place = null;
    play.textContent = "Play";
    draw();
  });
}

// Draw once for all changes before the next frame of the screen.
function draw() {
  if (drawing || !view) return;
  drawing = true;
  requestAnimationFrame(() => {
    drawing = false;
    const heard = steps.filter(({ decision }) => place === null || decision.heardSeconds <= place);
    view.showStep(heard.length ? { ...heard.at(-1), decision: decisionAfter(heard) } : null);
    view.showDecision(steps.length ? decided : undefined);
    const end = steps.at(-1)?.decision.heardSeconds ?? 0;
    const spanSeconds = source?.samples
      ? Math.max(source.samples.length / sampleRate, end)
      : LIVE_SPAN_SECONDS;
    view.drawTimeline({ steps, spanSeconds, place, decided });
  });
}

listen.addEventListener("click", () => (source?.microphone ? stopListening() : startListening()));
play.addEventListener("click", togglePlay);
file.addEventListener("change", () => {
  if (file.files.length) hearFile(file.files[0]);
  file.value = ""; // so that the same file can be chosen again
});
threshold.addEventListener("input", () => {
  decideAt = threshold.value / 100;
  showThreshold();
  decided = firstDecisive(steps, decideAt);
  tell();
  draw();
});
document.addEventListener("dragover", (event) => {
  event.preventDefault();
  document.body.classList.add("dropping");
});
document.addEventListener("dragleave", ({ relatedTarget }) => {
  if (!relatedTarget) document.body.classList.remove("dropping");
});
document.addEventListener("drop", (event) => {
  event.preventDefault();
  document.body.classList.remove("dropping");
  const [dropped] = event.dataTransfer.files;
  if (dropped && view) hearFile(dropped);
});
