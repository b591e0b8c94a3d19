// Where sound comes from: the microphone or a file. What fails throws a sentence for the reader.

import { formatOf } from "./format.js";
import { resampled } from "./resampler.js";

const MICROPHONE_TROUBLE = {
  NotAllowedError:
    "The microphone is not allowed: permit it for this page in the browser's address bar or" +
    " settings, then press the button again. Or choose a file.",
  NotFoundError:
    "There is no microphone: connect one, then press the button again. Or choose a file.",
  NotReadableError:
    "The microphone cannot be opened: close the other program that uses it, then press the" +
    " button again. Or choose a file.",
};

// Open the microphone: {sampleRate, port, close}; port gives blocks of 100 ms, and onLost is
// called when the microphone goes away.
export async function openMicrophone(onLost) {
  if (!navigator.mediaDevices?.getUserMedia || !window.AudioWorkletNode) {
    throw new Error(
      "This browser gives pages no microphone: open this page in a current Firefox, Chrome, Edge" +
        " or Safari, or choose a file.",
    );
  }
  const media = await askForMicrophone();
  const context = new AudioContext();
  const close = () => {
    media.getTracks().forEach((track) => track.stop());
    return context.close();
  };
  try {
    await context.audioWorklet.addModule("capture.js");
    await context.resume();
  } catch (error) {
    await close();
    throw new Error(
      `The microphone cannot be heard (${error.message}): look whether langid demo still runs, and` +
        " reload this page.",
    );
  }
  const capture = new AudioWorkletNode(context, "capture");
  const { port1, port2 } = new MessageChannel();
  capture.port.postMessage(port1, [port1]);
  context.createMediaStreamSource(media).connect(capture).connect(context.destination); // silent
  media.getTracks().forEach((track) => track.addEventListener("ended", onLost));
  return { sampleRate: context.sampleRate, port: port2, close };
}

async function askForMicrophone() {
  // What makes calls clearer would change the sound that the model was trained on.
  const audio = { echoCancellation: false, noiseSuppression: false, autoGainControl: false };
  try {
    return await navigator.mediaDevices.getUserMedia({ audio });
  } catch (error) {
    throw new Error(
      MICROPHONE_TROUBLE[error.name] ??
        `The microphone cannot be opened (${error.message}): choose a file instead.`,
    );
  }
}

// Return the mono samples of a file at the sample rate.
export async function decodeFile(file, sampleRate) {
  if (!file.size) throw new Error(`${file.name} is empty (0 bytes): choose a recording.`);
  const { channels, rate } = await decoded(file, sampleRate);
  const samples = mixed(channels);
  if (!samples.every(Number.isFinite)) {
    throw new Error(`${file.name} holds samples that are not numbers: record or save it again.`);
  }
  return resampled(samples, rate, sampleRate);
}

async function decoded(file, sampleRate) {
  try {
    const bytes = await file.arrayBuffer();
    const { isMp3, rate } = formatOf(bytes);
    return await (isMp3 ? decodedMp3(bytes) : decodedByBrowser(bytes, rate ?? sampleRate));
  } catch {
    throw new Error(
      `${file.name} cannot be decoded: it is damaged, or no sound that this browser knows.` +
        " Choose a WAV, MP3, FLAC or Ogg file.",
    );
  }
}

// Browsers decode MP3 to 16 bits, which fills bands that are empty; mpg123 decodes to floats, and
// is what Python hears it by.
async function decodedMp3(bytes) {
  await import("./vendor/mpg123-decoder.min.js"); // it defines a global
  const decoder = new globalThis["mpg123-decoder"].MPEGDecoder();
  await decoder.ready;
  try {
    const { channelData, sampleRate } = decoder.decode(new Uint8Array(bytes));
    return { channels: channelData, rate: sampleRate };
  } finally {
    decoder.free();
  }
}

// Decoding brings a file to the rate of its context. Browsers resample by filters of their own, so
// the context has the file's rate.
async function decodedByBrowser(bytes, rate) {
  const context = new OfflineAudioContext(1, 1, rate);
  const audio = await context.decodeAudioData(bytes);
  const numbers = [...Array(audio.numberOfChannels).keys()];
  return { channels: numbers.map((i) => audio.getChannelData(i)), rate };
}

function mixed(channels) {
  if (channels.length === 1) return channels[0];
  return channels[0].map(
    (_, i) => channels.reduce((sum, channel) => sum + channel[i], 0) / channels.length,
  );
}

// Play samples; onPlace hears the seconds played every 100 ms, onEnd that it is over.
export class Player {
  constructor(samples, sampleRate, onPlace, onEnd) {
    this.context = new AudioContext();
    const buffer = this.context.createBuffer(1, samples.length, sampleRate);
    buffer.copyToChannel(samples, 0);
    this.source = this.context.createBufferSource();
    this.source.buffer = buffer;
    this.source.connect(this.context.destination);
    this.source.onended = () => this.#end();
    this.onEnd = onEnd;
    const began = this.context.currentTime;
    this.timer = setInterval(() => onPlace(this.context.currentTime - began), 100);
    this.source.start();
  }

  stop() {
    this.source.stop(); // which ends it
  }

  #end() {
    clearInterval(this.timer);
    this.context.close();
    this.onEnd();
  }
}
