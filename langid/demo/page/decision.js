// From the posteriors of frames to a decision: the rules of langid/streaming/decision.py.

// The first and the last record of some steps that reaches a confidence; null where none does.
export function firstDecisive(steps, decideAt) {
  const reaches = ({ confidence }) => confidence >= decideAt;
  return steps.find(({ records }) => records.some(reaches))?.records.find(reaches) ?? null;
}

export function lastDecisive(steps, decideAt) {
  const reaches = ({ confidence }) => confidence >= decideAt;
  return steps.findLast(({ records }) => records.some(reaches))?.records.findLast(reaches) ?? null;
}

// What is said where a class was decided on, or null: {label, leader, confidence}.
export function judge(classes, posteriors, decided, unknownBelow) {
  const highest = Math.max(...posteriors);
  const label = decided !== null && highest < unknownBelow ? "unknown" : decided;
  const confidence = posteriors[classes.indexOf(label)] ?? highest;
  return { label, leader: classes[posteriors.indexOf(highest)], confidence };
}

export class DecisionRule {
  // settings: {half_life_s, decide_at, unknown_below, languages}; null means no limit.
  constructor(classes, hopSeconds, settings) {
    this.classes = classes;
    this.hopSeconds = hopSeconds;
    this.settings = settings;
    const { half_life_s: halfLife, languages } = settings;
    this.kept = halfLife === null ? 1 : 0.5 ** (hopSeconds / halfLife);
    this.considered = classes.map((name) => languages === null || languages.includes(name));
    this.total = new Float64Array(classes.length);
    this.frames = this.speechFrames = 0;
    this.decided = this.leader = this.surest = -1;
  }

  // Take in frames; return those at which a class led more surely than before in its lead. The
  // first of them that reaches a confidence is where the stream was decided at it, and the last is
  // of the class that is decided on since.
  update(posteriors, speech) {
    const records = [];
    speech.forEach((isSpeech, frame) => {
      this.frames += 1;
      // Until there is speech all frames count, and none of them from then on.
      if (!isSpeech && this.speechFrames > 0) return;
      if (isSpeech && this.speechFrames === 0) this.total.fill(0);
      for (let i = 0; i < this.total.length; i += 1) {
        const posterior = posteriors[frame * this.total.length + i];
        this.total[i] = this.total[i] * this.kept + posterior;
      }
      if (!isSpeech) return;
      this.speechFrames += 1;
      const { index, confidence } = this.#lead();
      if (confidence >= this.settings.decide_at) this.decided = index;
      if (index === this.leader && confidence <= this.surest) return;
      this.leader = index;
      this.surest = confidence;
      const times = { speechSeconds: this.speechSeconds, heardSeconds: this.heardSeconds };
      records.push({ label: this.classes[index], confidence, ...times });
    });
    return records;
  }

  get speechSeconds() {
    return this.speechFrames * this.hopSeconds;
  }

  get heardSeconds() {
    return this.frames * this.hopSeconds;
  }

  // The decision over all frames; label is null while undecided.
  get decision() {
    const { speechSeconds, heardSeconds } = this;
    const posteriors = this.#shares();
    const decided = this.classes[this.decided] ?? null;
    const verdict = judge(this.classes, posteriors, decided, this.settings.unknown_below);
    return { ...verdict, posteriors, speechSeconds, heardSeconds };
  }

  #lead() {
    const shares = this.#shares();
    const confidence = Math.max(...shares);
    return { index: shares.indexOf(confidence), confidence };
  }

  // One share a class: those considered sum to 1, and to 0 before any frame.
  #shares() {
    const chosen = Array.from(this.total, (sum, i) => (this.considered[i] ? sum : 0));
    const sum = chosen.reduce((total, value) => total + value, 0);
    return chosen.map((value) => value / (sum || 1));
  }
}
