// The sample rate that a sound file names: decoded at it, a file is not resampled by the browser.

const MP3_RATES = [44100, 48000, 32000];
const MP3_DIVISORS = { 3: 1, 2: 2, 0: 4 }; // of MPEG versions 1, 2 and 2.5
const MP3_SEARCH = 4096; // bytes behind the tags in which the first frame must begin

// Return the rate in Hz of a WAV, FLAC, Ogg or MP3 file, null of any other.
export function sampleRateOf(buffer) {
  const view = new DataView(buffer);
  const begins = (text, at = 0) =>
    at + text.length <= view.byteLength &&
    [...text].every((letter, i) => view.getUint8(at + i) === letter.charCodeAt(0));
  try {
    if (begins("RIFF") && begins("WAVE", 8)) return rateOfWav(view, begins);
    if (begins("fLaC")) return view.getUint32(18) >>> 12; // the first 20 bits
    if (begins("OggS")) return rateOfOgg(view, begins);
    return rateOfMp3(view, begins("ID3"));
  } catch (error) {
    if (error instanceof RangeError) return null; // the file ends too early
    throw error;
  }
}

function rateOfWav(view, begins) {
  let place = 12;
  while (!begins("fmt ", place)) place += 8 + view.getUint32(place + 4, true);
  return view.getUint32(place + 12, true);
}

function rateOfOgg(view, begins) {
  const packet = 27 + view.getUint8(26);
  if (begins("OpusHead", packet)) return 48000; // what every Opus decoder gives
  return begins("\x01vorbis", packet) ? view.getUint32(packet + 12, true) : null;
}

function rateOfMp3(view, tagged) {
  // The tag's size is in four times seven bits.
  const size = [6, 7, 8, 9].reduce((sum, i) => sum * 128 + (tagged ? view.getUint8(i) : 0), 0);
  const start = tagged ? 10 + size : 0;
  for (let place = start; place < start + MP3_SEARCH; place += 1) {
    const header = view.getUint32(place);
    const [version, layer] = [(header >>> 19) & 3, (header >>> 17) & 3];
    const rate = MP3_RATES[(header >>> 10) & 3] / MP3_DIVISORS[version];
    if (header >>> 21 === 0x7ff && layer === 1 && rate) return rate;
  }
  return null;
}
