// What is seen: a bar per class, the verdict, the figures and the timeline.

const COLOURS = 8; // that page.css names; further classes get hues of their own
const HEAD = 18; // pixels of the timeline above the lanes, for what marks say
const LANE = 34; // for each class
const AXIS = 22;
const PARTS_TOLD = 30; // of the timeline, to those who cannot see it
const GOLDEN_ANGLE = 137.5;

const element = (id) => document.getElementById(id);
const percent = (share) => `${Math.round(100 * share)}\u00a0%`;
const seconds = (value) => `${value.toFixed(1)}\u00a0s`;

// A decision in words; the mark stands between a label and its share.
export function verdict({ label, leader, confidence }, mark = "") {
  const share = percent(confidence);
  return label ? `${label}${mark} ${share}` : `Undecided, ${leader} leads with ${share}`;
}

export class View {
  constructor(classes) {
    this.classes = classes;
    this.canvas = element("timeline");
    this.bars = classes.map((name, i) => newBar(name, this.#colourName(i)));
    element("bars").replaceChildren(...this.bars.map(({ row }) => row));
    this.canvas.style.height = `${HEAD + classes.length * LANE + AXIS}px`;
    this.timeline = { steps: [], spanSeconds: 1, place: null, decided: null };
    const redraw = () => this.drawTimeline(this.timeline);
    new ResizeObserver(redraw).observe(this.canvas);
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", redraw);
  }

  // Show a step: bars, verdict and figures; without one, nothing has been heard yet.
  showStep(step) {
    const decision = step?.decision;
    this.bars.forEach(({ meter, fill, share }, i) => {
      const value = decision?.posteriors[i] ?? 0;
      meter.setAttribute("aria-valuenow", value.toFixed(5));
      meter.setAttribute("aria-valuetext", percent(value));
      fill.style.width = `${100 * value}%`;
      share.textContent = percent(value);
    });
    element("verdict").textContent = headline(decision);
    element("heard").textContent = decision ? seconds(decision.heardSeconds) : "–";
    element("speech").textContent = decision ? seconds(decision.speechSeconds) : "–";
    const factor = decision ? step.busySeconds / decision.heardSeconds : NaN;
    element("factor").textContent = Number.isFinite(factor) ? factor.toFixed(4) : "–";
  }

  // Say after how much speech the decision fell; undefined where nothing was heard yet.
  showDecision(decided) {
    const text = decided && `${decided.speechSeconds.toFixed(2)}\u00a0s, ${decided.label}`;
    element("decided").textContent = text ?? (decided === null ? "undecided" : "–");
  }

  // Draw a lane per class: the posterior of each step; where there is no speech, a thin line.
  // The last spanSeconds are seen; place is where playing is, decided when the decision fell.
  drawTimeline(timeline) {
    this.timeline = timeline;
    const { steps, spanSeconds, place, decided } = timeline;
    const context = this.#cleared();
    const gutter = this.#drawNames(context);
    const width = this.canvas.clientWidth - gutter;
    const end = steps.at(-1)?.decision.heardSeconds ?? 0;
    const begin = Math.max(0, end - spanSeconds);
    const x = (time) => Math.round(gutter + ((time - begin) / spanSeconds) * width);
    this.#drawAxis(context, begin, spanSeconds, x);
    let before = 0;
    for (const step of steps) {
      const { heardSeconds } = step.decision;
      const left = x(Math.max(before, begin));
      if (heardSeconds > begin) this.#drawStep(context, step, left, x(heardSeconds));
      before = heardSeconds;
    }
    if (decided) this.#drawMark(context, x(decided.heardSeconds), gutter, "decided", [4, 4]);
    if (place !== null) this.#drawMark(context, x(place), gutter, "", []);
  }

  // Describe the timeline in words: which class led when.
  describeTimeline(steps) {
    const parts = [];
    let before = 0;
    for (const { posteriors, isSpeech, decision } of steps) {
      const best = posteriors.indexOf(Math.max(...posteriors));
      const name = isSpeech ? this.classes[best] : "no speech";
      if (parts.at(-1)?.name === name) parts.at(-1).end = decision.heardSeconds;
      else parts.push({ name, begin: before, end: decision.heardSeconds });
      before = decision.heardSeconds;
    }
    const words = parts
      .slice(0, PARTS_TOLD)
      .map(({ name, begin, end }) => `${name} ${begin.toFixed(1)} to ${seconds(end)}`);
    const more = parts.length > PARTS_TOLD ? `, and ${parts.length - PARTS_TOLD} parts more` : "";
    const label = `Timeline: ${words.join(", ") || "nothing heard"}${more}`;
    this.canvas.setAttribute("aria-label", label);
  }

  #colourName(i) {
    return i < COLOURS ? `var(--language-${i})` : `hsl(${i * GOLDEN_ANGLE} 60% 50%)`;
  }

  #cleared() {
    const { clientWidth, clientHeight } = this.canvas;
    this.canvas.width = clientWidth * devicePixelRatio;
    this.canvas.height = clientHeight * devicePixelRatio;
    const context = this.canvas.getContext("2d");
    context.scale(devicePixelRatio, devicePixelRatio);
    const style = getComputedStyle(document.body);
    context.font = `13px ${style.fontFamily}`;
    this.quiet = style.getPropertyValue("--quiet");
    this.line = style.getPropertyValue("--line");
    this.ink = style.color;
    this.fills = this.bars.map(({ fill }) => getComputedStyle(fill).backgroundColor);
    return context;
  }

  #drawNames(context) {
    const widest = Math.max(...this.classes.map((name) => context.measureText(name).width));
    const gutter = Math.min(widest + 12, 0.35 * this.canvas.clientWidth);
    context.fillStyle = this.ink;
    context.textBaseline = "middle";
    this.classes.forEach((name, i) => {
      context.fillText(name, 0, HEAD + (i + 0.5) * LANE, gutter - 12);
    });
    return gutter;
  }

  #drawAxis(context, begin, span, x) {
    const bottom = HEAD + this.classes.length * LANE;
    const room = this.canvas.clientWidth / 70;
    const tick = [1, 2, 5, 10, 30, 60, 300, 600, 1800].find((t) => span / t <= room) ?? 3600;
    context.fillStyle = this.quiet;
    context.textAlign = "center";
    for (let time = Math.ceil(begin / tick) * tick; time <= begin + span; time += tick) {
      const text = `${time} s`;
      const half = context.measureText(text).width / 2;
      context.fillText(text, Math.min(x(time), this.canvas.clientWidth - half), bottom + AXIS / 2);
    }
    context.textAlign = "start";
    context.fillStyle = this.line;
    this.classes.forEach((_, i) => {
      context.fillRect(x(begin), HEAD + (i + 1) * LANE - 1, x(begin + span) - x(begin), 1);
    });
  }

  #drawStep(context, { posteriors, isSpeech }, left, right) {
    if (!isSpeech) return;
    posteriors.forEach((value, i) => {
      const height = value * (LANE - 6);
      context.fillStyle = this.fills[i];
      const top = HEAD + (i + 1) * LANE - 1 - height;
      context.fillRect(left, top, Math.max(right - left, 1), height);
    });
  }

  #drawMark(context, x, gutter, text, dashes) {
    if (x < gutter) return;
    context.strokeStyle = context.fillStyle = this.ink;
    context.lineWidth = 2;
    context.setLineDash(dashes);
    context.beginPath();
    context.moveTo(x, text ? HEAD - 4 : 0);
    context.lineTo(x, HEAD + this.classes.length * LANE);
    context.stroke();
    const { width } = context.measureText(text);
    const left = Math.min(Math.max(gutter, x - width / 2), this.canvas.clientWidth - width);
    context.fillText(text, left, HEAD / 2 - 2);
  }
}

function headline(decision) {
  if (!decision) return "\u00a0";
  if (!decision.speechSeconds) return "No speech yet";
  return verdict(decision);
}

function newBar(name, colour) {
  const [row, label, meter, fill, share] = ["div", "span", "div", "div", "span"].map((tag) =>
    document.createElement(tag),
  );
  row.className = "bar";
  label.textContent = name;
  meter.className = "meter";
  fill.className = "fill";
  fill.style.background = colour;
  share.className = "share";
  const attributes = { role: "meter", "aria-label": name, "aria-valuemin": 0, "aria-valuemax": 1 };
  Object.entries(attributes).forEach(([key, value]) => meter.setAttribute(key, value));
  for (const part of [label, share]) part.setAttribute("aria-hidden", "true"); // the meter says it
  meter.append(fill);
  row.append(label, meter, share);
  return { row, meter, fill, share };
}
