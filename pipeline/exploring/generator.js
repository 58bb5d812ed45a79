"use strict";
// A trained generator in plain JavaScript. Maps are Float32Array in the order height, width, channels.

// float32 of IEEE half floats, for all 65,536 of them.
const HALVES = Float32Array.from({ length: 65536 }, (_, bits) => {
  const sign = bits & 0x8000 ? -1 : 1, exponent = (bits >> 10) & 31, fraction = bits & 1023;
  if (exponent === 0) return sign * fraction * 2 ** -24;
  return exponent === 31 ? (fraction ? NaN : sign * Infinity) : sign * (1 + fraction / 1024) * 2 ** (exponent - 15);
});

const bytesOf = base64 => Uint8Array.from(atob(base64), letter => letter.charCodeAt(0));

class Generator {
  // `facts` are those of portable.py; `weights` and `others` its two rows of numbers, in base64.
  constructor(facts, weights, others) {
    Object.assign(this, facts);
    const halves = Float32Array.from(new Uint16Array(bytesOf(weights).buffer), bits => HALVES[bits]);
    const singles = new Float32Array(bytesOf(others).buffer);
    let half = 0, single = 0;
    const take = count => halves.subarray(half, half += count), next = count => singles.subarray(single, single += count);
    this.steps = facts.layers.map(layer => STEPS[layer.kind](layer, take, next, facts));
  }

  // The image of z (z_dim numbers) and, for a conditional generator, a label: Uint8ClampedArray of height x width x channels.
  pixels(z, label = 0) {
    let x = Float32Array.from(z);
    for (const step of this.steps) x = step(x, label);
    return Uint8ClampedArray.from(x, value => Math.round((value - this.low) * (255 / (1 - this.low))));
  }
}

// For each kind of layer: what computes it. `take` and `next` give the layer's weights, and its biases, scales and shifts.
const STEPS = {
  dense({ inputs, units }, take, next) {
    const weight = take(inputs * units), bias = next(units);
    return x => {
      const out = Float32Array.from(bias);
      for (let i = 0; i < inputs; i++) add(out, 0, x[i], weight, i * units, units);
      return out;
    };
  },
  conv: (layer, take, next) => convolution(layer, take, next, false),
  transpose: (layer, take, next) => convolution(layer, take, next, true),
  affine({ length }, take, next) {
    const scale = next(length), shift = next(length);
    return x => x.map((value, i) => value * scale[i % length] + shift[i % length]);
  },
  leaky: ({ slope }) => x => x.map(value => value < 0 ? slope * value : value),
  upsample({ factor, from: [height, width, channels] }) {
    return x => {
      const out = new Float32Array(x.length * factor * factor), wide = width * factor;
      for (let top = 0; top < height * factor; top++)
        for (let left = 0; left < wide; left++) {
          const at = (Math.floor(top / factor) * width + Math.floor(left / factor)) * channels;
          out.set(x.subarray(at, at + channels), (top * wide + left) * channels);
        }
      return out;
    };
  },
  labels(layer, take, next, { classes }) {
    return (x, label) => {  // appended to each pixel; a vector is one pixel
      const channels = layer.channels, pixels = x.length / channels, out = new Float32Array(x.length + pixels * classes);
      for (let pixel = 0; pixel < pixels; pixel++) {
        out.set(x.subarray(pixel * channels, (pixel + 1) * channels), pixel * (channels + classes));
        out[pixel * (channels + classes) + channels + label] = 1;
      }
      return out;
    };
  },
  tanh: () => x => x.map(Math.tanh),
  sigmoid: () => x => x.map(value => 1 / (1 + Math.exp(-value))),
};

// out[at ..] += factor * weight[from ..], for `count` numbers.
function add(out, at, factor, weight, from, count) {
  if (factor === 0) return;
  for (let i = 0; i < count; i++) out[at + i] += factor * weight[from + i];
}

// Position `small` of the smaller map meets position `small * stride + tap - before` of the larger one, for each tap of the
// kernel: a convolution goes from the larger map to the smaller, its transpose back.
function convolution({ kernel, stride, before, from, to }, take, next, transposed) {
  const [fromHeight, fromWidth, inputs] = from, [toHeight, toWidth, outputs] = to;
  const weight = take(kernel * kernel * inputs * outputs), bias = next(outputs);
  const [height, width] = transposed ? from : to, [largeHeight, largeWidth] = transposed ? to : from;
  return x => {
    const out = new Float32Array(toHeight * toWidth * outputs);
    for (let i = 0; i < out.length; i += outputs) out.set(bias, i);
    for (let row = 0; row < kernel; row++)
      for (let column = 0; column < kernel; column++) {
        const tap = (row * kernel + column) * inputs * outputs;
        for (let top = 0; top < height; top++) {
          const low = top * stride + row - before;
          if (low < 0 || low >= largeHeight) continue;
          for (let left = 0; left < width; left++) {
            const right = left * stride + column - before;
            if (right < 0 || right >= largeWidth) continue;
            const small = top * width + left, large = low * largeWidth + right;
            const source = (transposed ? small : large) * inputs, target = (transposed ? large : small) * outputs;
            for (let i = 0; i < inputs; i++) add(out, target, x[source + i], weight, tap + i * outputs, outputs);
          }
        }
      }
    return out;
  };
}

if (typeof module !== "undefined") module.exports = { Generator };
