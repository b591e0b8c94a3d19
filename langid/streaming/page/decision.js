// From the posteriors of frames to a decision: the rules of langid/streaming/decision.py.

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
    this.decided = this.surest = -1;
  }

  // Take in frames; return those at which a language led more surely than any had before. The
  // first of them that reaches a confidence is where the stream was decided at it.
  hear(posteriors, speech) {
    const records = [];
    speech.forEach((isSpeech, frame) => {
      this.frames += 1;
      if (!isSpeech) return;
      this.speechFrames += 1;
      for (let i = 0; i < this.total.length; i += 1) {
        const posterior = posteriors[frame * this.total.length + i];
        this.total[i] = this.total[i] * this.kept + posterior;
      }
      const { language, confidence } = this.#lead();
      if (confidence >= this.settings.decide_at) this.decided = language;
      if (confidence <= this.surest) return;
      this.surest = confidence;
      const times = { speechSeconds: this.speechSeconds, heardSeconds: this.heardSeconds };
      records.push({ label: this.classes[language], confidence, ...times });
    });
    return records;
  }

  get speechSeconds() {
    return this.speechFrames * this.hopSeconds;
  }

  get heardSeconds() {
    return this.frames * this.hopSeconds;
  }

  // The decision over everything heard; label is null while undecided.
  get decision() {
    const { speechSeconds, heardSeconds } = this;
    const posteriors = this.#shares();
    let label = null;
    if (this.decided >= 0) {
      const unknown = this.#lead().confidence < this.settings.unknown_below;
      label = unknown ? "unknown" : this.classes[this.decided];
    }
    const confidence = posteriors[this.classes.indexOf(label)] ?? Math.max(...posteriors);
    return { label, confidence, posteriors, speechSeconds, heardSeconds };
  }

  #lead() {
    const shares = this.#shares();
    const confidence = Math.max(...shares);
    return { language: shares.indexOf(confidence), confidence };
  }

  // One share a class: those considered sum to 1, and to 0 before any speech.
  #shares() {
    const chosen = Array.from(this.total, (sum, i) => (this.considered[i] ? sum : 0));
    const sum = chosen.reduce((total, value) => total + value, 0);
    return chosen.map((value) => value / (sum || 1));
  }
}
