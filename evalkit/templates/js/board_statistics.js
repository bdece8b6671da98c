/* What stats/ and pages/ranks.py compute, for the models, tasks and weights that the reader chose. */

const ALPHA = 0.05;
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
  for (let m = 1; m < 500; m += 1) {
    for (const numerator of [(m * (b - m) * x) / ((a + 2 * m - 1) * (a + 2 * m)), (-(a + m) * (a + b + m) * x) / ((a + 2 * m) * (a + 2 * m + 1))]) {
      d = 1 / (1 + numerator * d || 1e-300);
      c = 1 + numerator / c || 1e-300;
      f *= c * d;
    }
    if (Math.abs(c * d - 1) < 1e-15) break;
  }
  return front * f;
}

/** P(|T| > |t|) for Student's t. */
function twoSided(t_, df) {
  return betainc(df / 2, 0.5, df / (df + t_ * t_));
}

/** The 97.5 % quantile of Student's t: Cornish and Fisher's expansion, by bisection where df is small. */
const quantiles = new Map();
const Z = 1.959963984540054;
function studentQuantile(df) {
  if (df >= 30) {
    const [z3, z5, z7, z9] = [Z ** 3, Z ** 5, Z ** 7, Z ** 9];
    return Z + (z3 + Z) / (4 * df) + (5 * z5 + 16 * z3 + 3 * Z) / (96 * df ** 2) + (3 * z7 + 19 * z5 + 17 * z3 - 15 * Z) / (384 * df ** 3) + (79 * z9 + 776 * z7 + 1482 * z5 - 1920 * z3 - 945 * Z) / (92160 * df ** 4);
  }
  if (!quantiles.has(df)) {
    let low = 0;
    let high = 2;
    while (twoSided(high, df) > ALPHA) high *= 2;
    for (let i = 0; i < 50; i += 1) {
      const middle = (low + high) / 2;
      if (twoSided(middle, df) > ALPHA) low = middle;
      else high = middle;
    }
    quantiles.set(df, (low + high) / 2);
  }
  return quantiles.get(df);
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

/** The weighted mean over places of the models' estimates; null when the page cannot know it. */
function combineFields(parts, models) {
  const m = models.length;
  const total = parts.reduce((sum, part) => sum + part.weight, 0);
  const values = new Float64Array(m);
  const covariance = new Float64Array(m * m);
  let df = Infinity;
  for (const { place, weight, scale, shift } of parts) {
    const field = fieldOf(place);
    if (!field?.covariance) return null;
    const at = models.map((model) => field.index.get(model));
    if (at.includes(undefined)) return null;
    const factor = weight / total / scale;
    for (let i = 0; i < m; i += 1) {
      values[i] += factor * (field.values[at[i]] - shift);
      for (let j = 0; j < m; j += 1) covariance[i * m + j] += factor * factor * field.covariance(at[i], at[j]);
    }
    if (weight > 0) df = Math.min(df, field.df);
  }
  return { values, covariance, df, m };
}

/** Each model less each other: difference, half its 95 % interval, p after Holm. */
function compareAll({ values, covariance, df, m }) {
  const difference = new Float64Array(m * m);
  const half = new Float64Array(m * m);
  const p = new Float64Array(m * m).fill(1);
  const quantile = studentQuantile(df);
  const pairs = [];
  const raw = [];
  for (let i = 0; i < m; i += 1) {
    for (let j = i + 1; j < m; j += 1) {
      const sum = covariance[i * m + i] + covariance[j * m + j];
      const square = sum - 2 * covariance[i * m + j];
      const error = square <= 1e-12 * sum ? 0 : Math.sqrt(square);
      const gap = values[i] - values[j];
      difference[i * m + j] = gap;
      difference[j * m + i] = -gap;
      half[i * m + j] = half[j * m + i] = quantile * error;
      pairs.push([i, j]);
      raw.push(error > 0 ? twoSided(gap / error, df) : 1);
    }
  }
  holm(raw).forEach((value, index) => {
    const [i, j] = pairs[index];
    p[i * m + j] = p[j * m + i] = value;
  });
  return { difference, half, p, m };
}

/** The best and worst place of each model, by what is proven. */
function rankSets({ difference, p, m }) {
  return Array.from({ length: m }, (_, i) => {
    let above = 0;
    let below = 0;
    for (let j = 0; j < m; j += 1) {
      if (p[i * m + j] > ALPHA) continue;
      if (difference[i * m + j] < 0) above += 1;
      else below += 1;
    }
    return [1 + above, m - below];
  });
}
