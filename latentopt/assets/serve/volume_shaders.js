// What a volume is drawn by: shaders of WebGL2. The ray of a pixel is cast through the box of voxels.

export const CORNERS = `#version 300 es
in vec2 corner; out vec2 place;
void main() { place = corner; gl_Position = vec4(corner, 0.0, 1.0); }`;

// Where the ray of a pixel enters the box, and where it leaves it.
const RAY = `#version 300 es
precision highp float; precision highp int; precision highp usampler3D; precision highp sampler3D;
in vec2 place; out vec4 shown;
uniform ivec3 sides; uniform mat3 turn;
vec3 size, ray, start, inverted, near, far;
float enter, leave;
void meetBox() {
  size = vec3(sides); float longest = max(size.x, max(size.y, size.z));
  ray = turn * vec3(0.0, 0.0, -1.0);
  start = turn * vec3(place * 0.9 * longest, 2.0 * longest) + 0.5 * size;
  inverted = 1.0 / (ray + vec3(equal(ray, vec3(0.0))) * 1e-9);
  vec3 one = -start * inverted, two = (size - start) * inverted;
  near = min(one, two); far = max(one, two);
  enter = max(near.x, max(near.y, near.z)); leave = min(far.x, min(far.y, far.z));
}`;

/** All voxels, with an opacity a phase: from voxel to voxel (Amanatides and Woo 1987), so faces stay sharp. */
export const VOXELS = `${RAY}
uniform usampler3D voxels; uniform vec4 phases[10];
void main() {
  meetBox();
  if (enter >= leave) { shown = vec4(0.0); return; }
  vec3 at = start + ray * (enter + 1e-3);
  ivec3 voxel = clamp(ivec3(floor(at)), ivec3(0), sides - 1);
  ivec3 way = ivec3(sign(inverted));
  vec3 next = (vec3(voxel) + max(vec3(way), 0.0) - start) * inverted;
  vec3 apart = abs(inverted);
  vec3 face = vec3(equal(near, vec3(enter)));
  vec3 colour = vec3(0.0); float left = 1.0; uint before = 255u;
  for (int i = 0; i < 2048; i++) {
    uint phase = texelFetch(voxels, voxel, 0).r;
    if (phase != before) {
      vec4 paint = phases[int(phase) % 10];
      float light = dot(face, vec3(0.74, 1.0, 0.86));
      colour += left * paint.a * light * paint.rgb; left *= 1.0 - paint.a;
      before = phase;
      if (left < 0.02) break;
    }
    if (next.x < next.y && next.x < next.z) { voxel.x += way.x; next.x += apart.x; face = vec3(1, 0, 0); }
    else if (next.y < next.z) { voxel.y += way.y; next.y += apart.y; face = vec3(0, 1, 0); }
    else { voxel.z += way.z; next.z += apart.z; face = vec3(0, 0, 1); }
    if (any(lessThan(voxel, ivec3(0))) || any(greaterThanEqual(voxel, sides))) break;
  }
  shown = vec4(colour, 1.0 - left);
}`;

/**
 * The surface where the share of one phase, linear between the centres of voxels, is one half, shaded by
 * its gradient. Nothing is smoothed away: each voxel of the phase is inside. The box cuts it flat.
 */
export const SURFACE = `${RAY}
uniform sampler3D share; uniform vec3 paint;
float at(vec3 point) { return texture(share, point / size).r; }
vec3 gradient(vec3 point) {
  vec3 sum = vec3(0.0); // over two distances: one alone shows the steps of the voxels
  for (int k = 1; k <= 2; k++) {
    vec2 h = vec2(0.9 * float(k), 0.0);
    sum += vec3(at(point + h.xyy) - at(point - h.xyy), at(point + h.yxy) - at(point - h.yxy),
      at(point + h.yyx) - at(point - h.yyx));
  }
  return sum;
}
void main() {
  meetBox();
  shown = vec4(0.0);
  if (enter >= leave) return;
  float t = enter + 1e-3, last = t;
  vec3 normal = -sign(ray) * vec3(equal(near, vec3(enter))); // of the box
  float value = at(start + ray * t);
  if (value <= 0.5) {
    while (t < leave && value <= 0.5) { last = t; t += 0.4; value = at(start + ray * min(t, leave)); }
    if (value <= 0.5) return;
    for (int i = 0; i < 8; i++) { // halves of the last step
      float middle = 0.5 * (last + t);
      if (at(start + ray * middle) > 0.5) t = middle; else last = middle;
    }
    vec3 slope = gradient(start + ray * t);
    normal = dot(slope, slope) > 0.0 ? -normalize(slope) : -ray;
  }
  float light = max(0.0, dot(normal, normalize(turn * vec3(-0.45, 0.6, 1.0))));
  shown = vec4(min(vec3(1.0), (0.42 + 0.58 * light) * paint + 0.1 * light * light), 1.0); // dark phases have a gloss
}`;
