// The page: what its controls do, and what the worker's answers change.

import { decodeFile, openMicrophone, Player } from "./sound.js";
import { View } from "./view.js";

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
let stream = 0; // counts what was asked for; answers for an earlier one are late
let source = null; // {name, samples} of a file, or {microphone}
let player = null;
let steps = [];
let decideAt = 0.9; // the confidence of a decision, where the model does not set it
let decided = null; // the first record of a confidence that reached it
let concluded = null; // the last step of a stream that has ended
let place = null; // seconds into the file, while it plays
let drawing = false;

worker.onmessage = ({ data }) => {
  if (data.kind === "ready") ready(data.metadata);
  else if (data.kind === "failed") fail(data.message);
  else if (data.stream === stream) hear(data);
};
worker.onerror = () =>
  fail(
    "This browser cannot run the model: open this page in a current Firefox, Chrome, Edge or" +
      " Safari.",
  );

function ready(metadata) {
  sampleRate = metadata.sample_rate;
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

function say(sentence) {
  const status = element("status");
  if (status.textContent !== sentence) status.textContent = sentence; // it is read out
}

function complain(sentence) {
  const trouble = element("trouble");
  if (trouble.textContent !== sentence) trouble.textContent = sentence; // it is read out
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
  decided = concluded = place = null;
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
    say("Listening: speak.");
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

function hear(step) {
  if (step.decision.heardSeconds > (steps.at(-1)?.decision.heardSeconds ?? 0)) steps.push(step);
  if (!decided) {
    decided = firstDecisive([step]);
    if (decided && source.microphone) {
      say(`${decided.label}, decided after ${decided.speechSeconds.toFixed(2)} s of speech.`);
    }
  }
  if (step.kind === "end") conclude(step);
  else if (source.microphone) noticeQuiet(step.decision);
  draw();
}

function firstDecisive(among) {
  for (const { records } of among) {
    const first = records.find(({ confidence }) => confidence >= decideAt);
    if (first) return first;
  }
  return null;
}

function noticeQuiet({ heardSeconds, speechSeconds }) {
  if (speechSeconds) complain("");
  else if (heardSeconds >= QUIET_SECONDS) complain(`No speech heard yet: ${MICROPHONE_QUIET}`);
}

function conclude(step) {
  concluded = step;
  const { speechSeconds } = step.decision;
  sayVerdict();
  if (!speechSeconds) {
    complain(
      source.name
        ? `No speech was heard in ${source.name}: ${FILE_TROUBLE}`
        : `No speech was heard: ${MICROPHONE_QUIET}`,
    );
  }
  play.hidden = !source.samples?.length;
  view.describeTimeline(steps);
}

function sayVerdict() {
  const { decision } = concluded;
  const name = source.name ? `${source.name}: ` : "";
  const of = `from ${decision.speechSeconds.toFixed(1)} s of speech`;
  say(decision.speechSeconds ? `${name}${view.verdict(decision, decided)}, ${of}.` : "");
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
    const shown = place === null ? steps.at(-1) : (heard.at(-1) ?? null);
    const fallen = decided && decided.heardSeconds <= shown?.decision.heardSeconds;
    view.showStep(shown, fallen);
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
  decided = firstDecisive(steps);
  if (concluded) sayVerdict();
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
