// What a sound file says of itself: whether it is MP3, and its sample rate.

const MP3_RATES = [44100, 48000, 32000];
const MP3_DIVISORS = { 3: 1, 2: 2, 0: 4 }; // of MPEG versions 1, 2 and 2.5
const MP3_BITRATES = {
  // kbit/s, of MPEG version 1 and of the others
  1: [0, 32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320],
  2: [0, 8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160],
};
const MP3_SEARCH = 4096; // bytes behind the tags in which the first frame must begin

// Return {isMp3, rate} of the bytes of a file; rate is in Hz for WAV, FLAC, Ogg and MP3, else null.
export function formatOf(buffer) {
  const view = new DataView(buffer);
  const begins = (text, at = 0) =>
    at + text.length <= view.byteLength &&
    [...text].every((letter, i) => view.getUint8(at + i) === letter.charCodeAt(0));
  try {
    if (begins("RIFF") && begins("WAVE", 8)) return { isMp3: false, rate: rateOfWav(view, begins) };
    if (begins("fLaC")) return { isMp3: false, rate: view.getUint32(18) >>> 12 }; // 20 bits
    if (begins("OggS")) return { isMp3: false, rate: rateOfOgg(view, begins) };
    const rate = rateOfMp3(view, begins("ID3"));
    return { isMp3: rate !== null, rate };
  } catch (error) {
    if (error instanceof RangeError) return { isMp3: false, rate: null }; // it ends too early
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
    const frame = mp3Frame(view.getUint32(place));
    // Other bytes may look like one frame, but not like two in a row.
    if (frame && mp3Frame(view.getUint32(place + frame.size))?.rate === frame.rate) {
      return frame.rate;
    }
  }
  return null;
}

// Return {rate, size in bytes} of the frame with a header, null where it is none of layer III.
function mp3Frame(header) {
  const [version, layer] = [(header >>> 19) & 3, (header >>> 17) & 3];
  const divisor = MP3_DIVISORS[version];
  const rate = MP3_RATES[(header >>> 10) & 3] / divisor;
  const bitrate = MP3_BITRATES[Math.min(divisor, 2)]?.[(header >>> 12) & 15];
  if (header >>> 21 !== 0x7ff || layer !== 1 || !rate || !bitrate) return null;
  const size = Math.floor(((divisor === 1 ? 144000 : 72000) * bitrate) / rate);
  return { rate, size: size + ((header >>> 9) & 1) };
}
