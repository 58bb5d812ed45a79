"use strict";
// The page's controls. Everything random follows from a seed; an image is computed when the page has nothing else to do.
const get = id => document.getElementById(id);
const facts = JSON.parse(get("facts").textContent);
const generator = new Generator(facts, get("weights").textContent, get("others").textContent);
const [CHANNELS, HEIGHT, WIDTH] = facts.image;
const SAMPLES = 40, POOL = 20, POINTS = 6, STEPS_BETWEEN = 12, STEP = 0.05, FRAME_MILLISECONDS = 60;

// Numbers in 0..1 that follow from a seed: mulberry32 (T. Ettinger, public domain).
const uniform = seed => () => {
  seed = seed + 0x6D2B79F5 | 0;
  let bits = Math.imul(seed ^ seed >>> 15, 1 | seed);
  bits = bits + Math.imul(bits ^ bits >>> 7, 61 | bits) ^ bits;
  return ((bits ^ bits >>> 14) >>> 0) / 4294967296;
};
const anySeed = () => Math.floor(Math.random() * 1e6);

// `count` vectors z of the network's prior; normal numbers by Box and Muller.
function drawn(count, seed) {
  const random = uniform(seed);
  const one = facts.prior === "normal"
    ? () => Math.sqrt(-2 * Math.log(1 - random())) * Math.cos(2 * Math.PI * random()) : () => 2 * random() - 1;
  return Array.from({ length: count }, () => Array.from({ length: facts.z_dim }, one));
}
const sum = (vectors, weights) => vectors[0].map((_, i) => vectors.reduce((total, z, k) => total + weights[k] * z[i], 0));
const mean = vectors => sum(vectors, vectors.map(() => 1 / vectors.length));
function slerp(a, b, t) {  // along the arc around the origin, as dcgan walk does
  const dot = (x, y) => x.reduce((total, value, i) => total + value * y[i], 0);
  const angle = Math.acos(Math.max(-1, Math.min(1, dot(a, b) / Math.sqrt(dot(a, a) * dot(b, b)))));
  return angle < 1e-6 ? sum([a, b], [1 - t, t]) : sum([a, b], [Math.sin((1 - t) * angle), Math.sin(t * angle)].map(x => x / Math.sin(angle)));
}

// The class of image i where all are shown, and where one is.
const chosenClass = () => get("class")?.value ?? "";
const label = (i = 0) => chosenClass() === "" ? i % (facts.classes || 1) : Number(chosenClass());

// Images are computed one at a time: of each canvas the newest wish only, large ones first, as one is waiting for those.
const wishes = new Map();
let busy = false;
function draw(canvas, z, y = label()) {
  wishes.set(canvas, [z, y]);
  if (!busy) { busy = true; setTimeout(work); }
}
function work() {
  const until = performance.now() + 12;
  while (wishes.size && performance.now() < until) {
    const waiting = [...wishes.keys()], canvas = waiting.find(one => one.className === "large") ?? waiting[0];
    const [z, y] = wishes.get(canvas);
    wishes.delete(canvas);
    paint(canvas, generator.pixels(z, y));
  }
  busy = wishes.size > 0;
  document.documentElement.dataset.busy = busy;
  if (busy) setTimeout(work);
}
function paint(canvas, pixels) {
  canvas.width = WIDTH;
  canvas.height = HEIGHT;
  const image = new ImageData(WIDTH, HEIGHT);
  for (let i = 0; i < WIDTH * HEIGHT; i++)
    for (let channel = 0; channel < 4; channel++)
      image.data[4 * i + channel] = channel === 3 ? 255 : pixels[CHANNELS * i + channel % CHANNELS];
  canvas.getContext("2d").putImageData(image, 0, 0);
}
function clear(canvas) {
  wishes.delete(canvas);
  canvas.width = WIDTH;
  canvas.height = HEIGHT;
}
function canvasIn(parent, name) {
  const canvas = document.createElement("canvas");
  canvas.setAttribute("role", "img");
  canvas.setAttribute("aria-label", name);
  clear(canvas);
  parent.append(canvas);
  return canvas;
}

// Samples.
const samples = Array.from({ length: SAMPLES }, (_, i) => canvasIn(get("samples"), `Sample ${i + 1}`));
function showSamples() {
  drawn(SAMPLES, Number(get("seed").value) || 0).forEach((z, i) => draw(samples[i], z, label(i)));
}
get("seed").addEventListener("input", showSamples);
get("new-samples").addEventListener("click", () => { get("seed").value = anySeed(); showSamples(); });

// Between four images: bilinear interpolation of z, as long as z of the prior are: G has seen no shorter ones.
const corners = [...document.querySelectorAll("#pad canvas")], point = get("point");
let four = drawn(4, 1), place = [0.5, 0.5];
corners.forEach((canvas, i) => {
  canvas.setAttribute("role", "img");
  canvas.setAttribute("aria-label", `Corner ${i + 1}`);
});
function showPoint() {
  const [right, down] = place;
  point.style.left = `${100 * right}%`;
  point.style.top = `${100 * down}%`;
  get("place").textContent = `${Math.round(100 * right)} % to the right, ${Math.round(100 * down)} % down`;
  const shares = [(1 - right) * (1 - down), right * (1 - down), (1 - right) * down, right * down];
  draw(get("mixed"), sum(four, shares.map(share => share / Math.hypot(...shares))));
}
function showSquare() {
  four.forEach((z, i) => draw(corners[i], z));
  showPoint();
}
function move(right, down) {
  place = [right, down].map(value => Math.max(0, Math.min(1, value)));
  showPoint();
}
function follow(event) {
  const box = get("pad").getBoundingClientRect();
  move((event.clientX - box.left) / box.width, (event.clientY - box.top) / box.height);
}
get("pad").addEventListener("pointerdown", event => {
  event.preventDefault();
  point.focus();
  get("pad").setPointerCapture(event.pointerId);
  follow(event);
});
get("pad").addEventListener("pointermove", event => { if (get("pad").hasPointerCapture(event.pointerId)) follow(event); });
point.addEventListener("keydown", event => {
  const step = { ArrowLeft: [-STEP, 0], ArrowRight: [STEP, 0], ArrowUp: [0, -STEP], ArrowDown: [0, STEP] }[event.key];
  if (!step) return;
  event.preventDefault();
  move(place[0] + step[0], place[1] + step[1]);
});
get("new-corners").addEventListener("click", () => { four = drawn(4, anySeed()); showSquare(); });

// A walk.
let stations = drawn(POINTS, 2), timer = 0;
get("position").max = POINTS * STEPS_BETWEEN - 1;
function showWalk() {
  const at = Number(get("position").value), from = Math.floor(at / STEPS_BETWEEN);
  draw(get("walk"), slerp(stations[from], stations[(from + 1) % POINTS], at % STEPS_BETWEEN / STEPS_BETWEEN));
}
function stop() {
  clearInterval(timer);
  timer = 0;
  get("play").textContent = "Play";
}
get("play").addEventListener("click", () => {
  if (timer) return stop();
  get("play").textContent = "Pause";
  timer = setInterval(() => {
    if (wishes.size) return;  // a slow computer takes its time for each frame
    get("position").value = (Number(get("position").value) + 1) % (POINTS * STEPS_BETWEEN);
    showWalk();
  }, FRAME_MILLISECONDS);
});
get("position").addEventListener("input", showWalk);
get("new-walk").addEventListener("click", () => { stations = drawn(POINTS, anySeed()); showWalk(); });

// Arithmetic.
let pool = drawn(POOL, 3);
const basket = { A: [0, 1, 2], B: [3, 4, 5], C: [6, 7, 8] };  // places in the pool
const cells = pool.map((_, i) => {
  const button = document.createElement("button");
  canvasIn(button, "");
  get("pool").append(button);
  button.addEventListener("click", () => choose(i));
  return button;
});
const thumbs = Object.fromEntries(Object.keys(basket).map(letter =>
  [letter, [1, 2, 3].map(k => canvasIn(get(`chosen-${letter}`), `Image ${k} of ${letter}`))]));
function choose(i) {
  const owner = Object.keys(basket).find(letter => basket[letter].includes(i));
  const letter = document.querySelector("[name=letter]:checked").value;
  if (owner !== letter && basket[letter].length === 3) {
    get("missing").textContent = `${letter} has three images: click one of them to make room.`;
    return;
  }
  if (owner) basket[owner].splice(basket[owner].indexOf(i), 1);
  if (owner !== letter) basket[letter].push(i);
  showChosen();
}
function showChosen() {
  cells.forEach((button, i) => {
    const owner = Object.keys(basket).find(letter => basket[letter].includes(i));
    button.setAttribute("aria-pressed", String(Boolean(owner)));
    button.setAttribute("aria-label", `Image ${i + 1}${owner ? `, in ${owner}` : ""}`);
    if (owner) button.dataset.letter = owner; else delete button.dataset.letter;
  });
  const means = {};
  for (const [letter, chosen] of Object.entries(basket)) {
    const vectors = chosen.map(i => pool[i]);
    thumbs[letter].forEach((canvas, k) => vectors[k] ? draw(canvas, vectors[k]) : clear(canvas));
    if (vectors.length) draw(get(`mean-${letter}`), means[letter] = mean(vectors)); else clear(get(`mean-${letter}`));
  }
  const missing = Object.keys(basket).filter(letter => !means[letter]);
  if (missing.length) clear(get("result")); else draw(get("result"), sum([means.A, means.B, means.C], [1, -1, 1]));
  get("missing").textContent = missing.length ? `Choose at least one image for ${missing.join(" and ")}.` : "";
}
function showPool() {
  cells.forEach((button, i) => draw(button.firstChild, pool[i]));
  showChosen();
}
function emptied() {
  for (const letter of Object.keys(basket)) basket[letter].length = 0;
}
get("new-pool").addEventListener("click", () => { emptied(); pool = drawn(POOL, anySeed()); showPool(); });
get("clear").addEventListener("click", () => { emptied(); showChosen(); });

function showAll() {
  showSamples();
  showSquare();
  showWalk();
  showPool();
}
get("class")?.addEventListener("change", showAll);
get("app").hidden = false;
showAll();
