// One stream of samples to another rate: a windowed sinc; its state is what it still needs.
//
// The filter is that of soxr's high quality, by which Python resamples: fitted to its impulse
// response, from which it differs by 1e-7 of the peak from 48 to 16 kHz, by 2e-4 from 44.1 kHz.

const CUT_OFF = 0.956872; // the middle of the transition, as a part of the lower Nyquist frequency
const REACH = 96.847; // samples of the lower rate that the kernel reaches to each side
const BETA = 13.044; // of the Kaiser window

// Return a whole recording, mono, at another rate.
export function resampled(samples, from, to) {
  if (from === to) return samples;
  const resampler = new Resampler(from, to);
  const [most, rest] = [resampler.process(samples), resampler.flush()];
  const all = new Float32Array(most.length + rest.length);
  all.set(most);
  all.set(rest, most.length);
  return all;
}

export class Resampler {
  constructor(from, to) {
    const divisor = greatestCommonDivisor(from, to);
    this.up = to / divisor;
    this.down = from / divisor;
    const lower = Math.min(1, to / from);
    const reach = REACH / lower;
    this.half = Math.ceil(reach);
    this.kernels = Array.from({ length: this.up }, (_, phase) =>
      kernel(phase / this.up, reach, CUT_OFF * lower),
    );
    this.level = 0; // of the first sample: that before it and behind the last, so that it makes no step
    this.waiting = new Float32Array(this.half - 1); // less the level, as all that is filtered
    this.begun = false;
    this.skip = 0; // samples to come that no output needs
    this.phase = 0;
  }

  // Return the samples at the new rate that these complete.
  process(samples) {
    if (!this.begun && samples.length) [this.level, this.begun] = [samples[0], true];
    return this.filter(samples.map((sample) => sample - this.level));
  }

  // Return the last samples, as if the level of the first followed.
  flush() {
    return this.filter(new Float32Array(this.half));
  }

  filter(samples) {
    const input = new Float32Array(this.waiting.length + samples.length);
    input.set(this.waiting);
    input.set(samples, this.waiting.length);
    const output = [];
    let first = this.skip;
    while (first + 2 * this.half <= input.length) {
      const taps = this.kernels[this.phase];
      let sum = 0;
      for (let i = 0; i < taps.length; i += 1) sum += taps[i] * input[first + i];
      output.push(sum + this.level);
      this.phase += this.down;
      first += Math.floor(this.phase / this.up);
      this.phase %= this.up;
    }
    this.waiting = input.slice(Math.min(first, input.length));
    this.skip = Math.max(0, first - input.length);
    return Float32Array.from(output);
  }
}

// The filter for an output that lies `offset` samples after input number half - 1.
function kernel(offset, reach, cutoff) {
  const half = Math.ceil(reach);
  const taps = Float64Array.from({ length: 2 * half }, (_, i) => {
    const time = i - (half - 1) - offset;
    const place = time / reach;
    const window = Math.abs(place) < 1 ? bessel(BETA * Math.sqrt(1 - place * place)) : 0;
    const angle = Math.PI * cutoff * time;
    return window * (angle === 0 ? 1 : Math.sin(angle) / angle);
  });
  const sum = taps.reduce((total, tap) => total + tap, 0);
  return taps.map((tap) => tap / sum);
}

// The modified Bessel function of order zero, by its series.
function bessel(x) {
  let term = 1;
  let sum = 1;
  for (let k = 1; term > 1e-12 * sum; k += 1) {
    term *= (x / (2 * k)) ** 2;
    sum += term;
  }
  return sum;
}

function greatestCommonDivisor(a, b) {
  return b ? greatestCommonDivisor(b, a % b) : a;
}
