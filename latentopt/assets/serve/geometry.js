// Distances between latent points.

/** Norm of a point. */
export function norm(z) {
  return Math.hypot(...z);
}

function squared(a, b) {
  let sum = 0;
  for (let i = 0; i < a.length; i += 1) sum += (a[i] - b[i]) ** 2;
  return sum;
}

/** Index of the nearest of some points; the one left out does not count. */
export function nearest(points, z, leftOut = -1) {
  let [best, least] = [null, Infinity];
  for (let i = 0; i < points.length; i += 1) {
    if (i === leftOut) continue;
    const away = squared(points[i], z);
    if (away < least) [best, least] = [i, away];
  }
  return [best, Math.sqrt(least)];
}

/** Distance of each point to its nearest other, 1 being their median. */
export function isolation(points) {
  const away = points.map((z, i) => nearest(points, z, i)[1]);
  const middle = [...away].sort((a, b) => a - b)[Math.floor(away.length / 2)] || 1;
  return away.map((value) => value / middle);
}
