/* What evalkit/comparing/findings and evalkit/stats compute, for the models, tasks and weights that the reader chose. */

const ALPHA = 0.05;
const SIDE = 0.025;
const GUARD = 5;
const COEFFICIENTS = [676.5203681218851, -1259.1392167224028, 771.3234287776531, -176.6150291621406, 12.507343278686905, -0.13857109526572012, 9.984369578019572e-6, 1.5056327351493116e-7];

/** log Gamma(x) for x > 0, by Lanczos' approximation (g = 7). */
function logGamma(x) {
  if (x < 0.5) return Math.log(Math.PI / Math.sin(Math.PI * x)) - logGamma(1 - x);
  const z = x - 1;
  let sum = 0.9999999999998099;
  COEFFICIENTS.forEach((coefficient, index) => { sum += coefficient / (z + index + 1); });
  const t_ = z + 7.5;
  return 0.5 * Math.log(2 * Math.PI) + (z + 0.5) * Math.log(t_) - t_ + Math.log(sum);
}

/** The regularised incomplete beta function, by Lentz's continued fraction. */
function betainc(a, b, x) {
  if (x <= 0) return 0;
  if (x >= 1) return 1;
  if (x > (a + 1) / (a + b + 2)) return 1 - betainc(b, a, 1 - x);
  const front = Math.exp(logGamma(a + b) - logGamma(a) - logGamma(b) + a * Math.log(x) + b * Math.log1p(-x)) / a;
  let c = 1;
  let d = 1 / Math.max(1e-300, 1 - ((a + b) * x) / (a + 1));
  let f = d;
  for (let m = 1; m < 2000; m += 1) {
    for (const numerator of [(m * (b - m) * x) / ((a + 2 * m - 1) * (a + 2 * m)), (-(a + m) * (a + b + m) * x) / ((a + 2 * m) * (a + 2 * m + 1))]) {
      d = 1 / (1 + numerator * d || 1e-300);
      c = 1 + numerator / c || 1e-300;
      f *= c * d;
    }
    if (Math.abs(c * d - 1) < 1e-15) break;
  }
  return front * f;
}

/** P(sum of a_j Gamma(c_j) >= 0), as _tail in stats/gaffke.py. */
function gammaTail(values, counts) {
  const a = [];
  const c = [];
  const size = Math.max(1e-300, ...values.map(Math.abs));
  values.forEach((value, j) => { if (value !== 0 && counts[j] > 0) { a.push(value / size); c.push(counts[j]); } });
  const smallest = Math.min(0, ...a);
  const largest = Math.max(0, ...a);
  if (smallest === 0) return 1;
  if (largest === 0) return 0;
  if (a.every((value) => value === smallest || value === largest)) {
    let [up, down] = [0, 0];
    a.forEach((value, j) => { if (value > 0) up += c[j]; else down += c[j]; });
    return betainc(down, up, largest / (largest - smallest));
  }
  const t_ = saddlepoint(a, c, smallest, largest);
  return t_ >= 0 ? contourTail(a, c, t_) : 1 - contourTail(a.map((value) => -value), c, -t_);
}

/** The t at which sum of c a / (1 - t a) is 0: bisection, which Newton's steps shorten where they are safe. */
function saddlepoint(a, c, smallest, largest) {
  let [below, above] = [1 / smallest, 1 / largest];
  const [left, right] = [below, above];
  let t_ = 0;
  for (let i = 0; i < 200; i += 1) {
    let [k1, k2] = [0, 0];
    for (let j = 0; j < a.length; j += 1) {
      const r = a[j] / (1 - t_ * a[j]);
      k1 += c[j] * r;
      k2 += c[j] * r * r;
    }
    if (Math.abs(k1) <= 1e-12 * Math.sqrt(k2)) return t_;
    if (k1 <= 0) below = t_;
    if (k1 >= 0) above = t_;
    const q = (right - t_) * (t_ - left);
    const slope = k2 * q + k1 * (right + left - 2 * t_);
    const next = slope > 0 ? t_ - (k1 * q) / slope : NaN;
    const safe = next > below && next < above ? next : (below + above) / 2;
    if (Math.abs(safe - t_) <= 1e-15 * (right - left)) return t_;
    t_ = safe;
  }
  return t_;
}

/** The tail by inverting its transform along a line in the strip, as _contour_tail in stats/gaffke.py. */
function contourTail(a, c, t_) {
  const right = 1 / Math.max(...a);
  const left = 1 / Math.min(...a);
  let k2 = 0;
  a.forEach((value, j) => { k2 += c[j] * (value / (1 - t_ * value)) ** 2; });
  const spread = 1 / Math.sqrt(k2);
  const s = Math.min((t_ + Math.sqrt(t_ * t_ + 4 * spread * spread)) / 2, (t_ + right) / 2);
  const width = Math.min(s, right - s, s - left, 8 * spread);
  const r = a.map((value) => value / (1 - s * value));
  let height = 0;
  a.forEach((value, j) => { height += c[j] * Math.log1p(-s * value); });
  const integrand = (v) => {
    const y = width * Math.sinh(v);
    let [size, angle] = [-height, 0];
    for (let j = 0; j < r.length; j += 1) {
      const x = y * r[j];
      size -= 0.5 * c[j] * Math.log1p(x * x);
      angle += c[j] * Math.atan(x);
    }
    return (Math.exp(size) * (s * Math.cos(angle) + y * Math.sin(angle)) / (s * s + y * y)) * width * Math.cosh(v);
  };
  const integral = (offset, step) => {
    let [total, peak, small] = [0, 0, 0];
    for (let i = 0; i < 4000; i += 1) {
      const f = integrand(step * (offset + i));
      total += i + offset === 0 ? f / 2 : f;
      peak = Math.max(peak, Math.abs(f));
      small = Math.abs(f) <= 1e-14 * peak ? small + 1 : 0;
      if (small >= 4 || step * i > 40) break;
    }
    return (step * total) / Math.PI;
  };
  let step = Math.min(0.25, spread / width);
  let value = integral(0, step);
  for (let i = 0; i < 6; i += 1) {
    const finer = (value + integral(0.5, step)) / 2;
    const done = Math.abs(finer - value) <= 1e-7 * finer;
    value = finer;
    step /= 2;
    if (done) break;
  }
  return Math.min(1, Math.max(0, value));
}

/** Holm's correction of p-values. */
function holm(values) {
  const order = values.map((p, index) => index).sort((a, b) => values[a] - values[b]);
  const corrected = new Array(values.length);
  let largest = 0;
  order.forEach((index, step) => {
    largest = Math.max(largest, Math.min(1, values[index] * (values.length - step)));
    corrected[index] = largest;
  });
  return corrected;
}

/** Two-sided p-values corrected over both directions of all pairs, as adjust in findings/family.py. */
function adjustPairs(up, down) {
  const known = up.map((_, index) => index).filter((index) => !Number.isNaN(up[index]) && !Number.isNaN(down[index]));
  const found = holm([...known.map((index) => up[index]), ...known.map((index) => down[index])]);
  const result = new Array(up.length).fill(NaN);
  known.forEach((index, at) => { result[index] = Math.min(found[at], found[known.length + at]); });
  return result;
}

/**
 * Fields that are shown together, corrected together. Each has models, difference(i, j) and p(i, j), one-sided;
 * each gets adjusted(i, j) and ranks.
 */
function findTogether(fields) {
  const up = [];
  const down = [];
  for (const { models, p } of fields) for (let i = 0; i < models.length; i += 1) for (let j = i + 1; j < models.length; j += 1) { up.push(p(i, j)); down.push(p(j, i)); }
  const corrected = adjustPairs(up, down);
  let start = 0;
  for (const field of fields) {
    const m = field.models.length;
    const adjusted = new Float64Array(m * m).fill(NaN);
    for (let i = 0; i < m; i += 1) for (let j = i + 1; j < m; j += 1) { adjusted[i * m + j] = adjusted[j * m + i] = corrected[start]; start += 1; }
    field.adjusted = (i, j) => adjusted[i * m + j];
    field.better = (i, j) => adjusted[i * m + j] <= ALPHA && field.p(i, j) < field.p(j, i);
    field.ranks = field.models.map((_, i) => {
      let [above, below] = [0, 0];
      for (let j = 0; j < m; j += 1) { if (field.better(j, i)) above += 1; if (field.better(i, j)) below += 1; }
      return [1 + above, m - below];
    });
  }
  return fields;
}

/** p of "i is better than j" in the mean over tasks of 0/1 scores; as pool in stats/evidence.py. */
function pooledP(parts, i, j) {
  const share = parts.map(({ tally, share: weight }) => weight / tally.n(i, j));
  const most = Math.max(...share);
  const values = [];
  const counts = [];
  let [up, down] = [0, 0];
  parts.forEach(({ tally }, k) => {
    const weight = share[k] / most;
    values.push(-weight, weight);
    counts.push(tally.wins(i, j), tally.losses(i, j));
    if (weight >= 0.5 * (1 - 1e-9)) { up += tally.wins(i, j); down += tally.wins(j, i); }
  });
  const p = gammaTail([...values, 1], [...counts, 1]);
  return Math.min(up, down) >= GUARD ? (p + gammaTail(values, counts)) / 2 : p;
}

/** The interval of a mean over tasks of 0/1 scores, each centred; as pool_centred in stats/evidence.py. */
function centredInterval(parts) {
  const total = parts.reduce((sum, part) => sum + part.weight, 0);
  const n = parts.reduce((sum, part) => sum + part.n, 0);
  const value = parts.reduce((sum, part) => sum + part.weight * ((part.right / part.n - part.floor) * part.factor), 0) / total;
  const values = [];
  const counts = [];
  let [lo, hi, least, most] = [Infinity, -Infinity, 0, 0];
  for (const part of parts) {
    const mean = part.right / part.n;
    const scale = ((part.weight / total) * n * part.factor) / part.n;
    const unbiased = Math.sqrt(((part.n / (part.n - 1)) * (n - 1)) / n);
    lo = Math.min(lo, value + scale * (0 - mean));
    hi = Math.max(hi, value + scale * (1 - mean));
    values.push(value + scale * unbiased * (1 - mean), value + scale * unbiased * (0 - mean));
    counts.push(part.right, part.n - part.right);
    least -= (part.weight * part.floor * part.factor) / total;
    most += (part.weight * (1 - part.floor) * part.factor) / total;
  }
  const kept = values.map((x, index) => [Math.min(hi, Math.max(lo, x)), counts[index]]).filter(([, count]) => count > 0);
  const x = kept.map(([each]) => each);
  const count = [...kept.map(([, each]) => each), 1];
  const above = (m) => gammaTail([...x, lo].map((each) => m - each), count) - SIDE;
  const below = (m) => gammaTail([...x, hi].map((each) => each - m), count) - SIDE;
  const [smallest, largest] = [Math.min(...x), Math.max(...x)];
  return [
    Math.max(least, largest <= lo ? lo : crossing(above, lo, largest)),
    Math.min(most, smallest >= hi ? hi : crossing(below, smallest, hi)),
  ];
}

/** Where a monotone function changes its sign between a and b, by bisection with secant steps. */
function crossing(f, a, b) {
  let [low, high, atLow, atHigh] = [a, b, f(a), f(b)];
  const width = Math.abs(b - a);
  for (let i = 0; i < 200 && Math.abs(high - low) > 1e-13 * width; i += 1) {
    const secant = low - (atLow * (high - low)) / (atHigh - atLow);
    const middle = i % 3 && secant > Math.min(low, high) && secant < Math.max(low, high) ? secant : (low + high) / 2;
    const here = f(middle);
    if (here === 0) return middle;
    if (here > 0 === atLow > 0) [low, atLow] = [middle, here];
    else [high, atHigh] = [middle, here];
  }
  return (low + high) / 2;
}
