"""Walks in the latent space, and in numbers whether they are smooth.

Radford, Metz & Chintala 2016, arXiv 1511.06434, sec. 6.1 and fig. 4, walk between nine random z and look: sharp
transitions would be signs of memorisation. Spherical interpolation is that of Shoemake 1985, "Animating rotation with
quaternion curves", for a normal prior, whose z lie near a sphere (White 2016, arXiv 1609.04468); a uniform prior's
cube is convex, and straight walks stay in it. The perceptual path length is that of Karras, Laine & Aila 2019, arXiv
1812.04948, sec. 4.1, in any features; departing from their code, no pair is left out as an outlier.
"""
import math

import numpy as np
import torch
from torch import Tensor

from pipeline.errors import InputError, ScoreError
from pipeline.latent.rows import See, joined

BATCH = 500  # pairs at a time
SMALL = 1e-6  # radians: to such an angle an arc and its chord agree in 12 digits


def linear(a: Tensor, b: Tensor, t: Tensor) -> Tensor:
    """(n, z_dim) on the straight lines from a, at t = 0, to b, at 1; a and b (n, z_dim), t (n, 1). Of a's dtype."""
    t = t.double()
    return ((1 - t) * a.double() + t * b.double()).to(a.dtype)


def slerp(a: Tensor, b: Tensor, t: Tensor) -> Tensor:
    """(n, z_dim) on the arcs around the origin from a, at t = 0, to b, at 1; shapes and dtypes as in `linear`.

    Equal norms are kept. Where a and b are parallel or one is 0 the arc is a straight line. InputError where b points
    opposite to a: no arc is the shortest then.
    """
    u, v = (x.double() / x.double().norm(dim=1, keepdim=True).clamp_min(1e-300) for x in (a, b))
    angle = 2 * torch.atan2((u - v).norm(dim=1, keepdim=True), (u + v).norm(dim=1, keepdim=True))
    zero = ~(u.any(1, keepdim=True) & v.any(1, keepdim=True))
    if (~zero & (angle > math.pi - SMALL)).any():
        raise InputError("spherical interpolation between a z and its opposite: no arc is the shortest; take other z")
    straight, t = zero | (angle < SMALL), t.double()
    angle = torch.where(straight, 1, angle)
    of_a = torch.where(straight, 1 - t, torch.sin((1 - t) * angle) / torch.sin(angle))
    of_b = torch.where(straight, t, torch.sin(t * angle) / torch.sin(angle))
    return (of_a * a.double() + of_b * b.double()).to(a.dtype)


def path(points: Tensor, steps: int, spherical: bool, closed: bool) -> Tensor:
    """z (frames, z_dim) along a walk through points (k, z_dim), with `steps` equal steps from each to the next.

    An open walk has (k - 1) * steps + 1 frames. A closed one goes on to its first point and stops a step before it, so
    that it can be repeated: k * steps frames. InputError with fewer than two points or one step.
    """
    if len(points) < 2 or steps < 1:
        raise InputError(f"a walk of {steps} steps between each two of {len(points)} points; expected at least 1 step "
                         "and 2 points")
    starts, ends = (points, points.roll(-1, 0)) if closed else (points[:-1], points[1:])
    t = (torch.arange(steps, dtype=torch.float64) / steps).to(points.device).repeat(len(starts))[:, None]
    between = slerp if spherical else linear
    frames = between(starts.repeat_interleave(steps, 0), ends.repeat_interleave(steps, 0), t)
    return frames if closed else torch.cat([frames, points[-1:]])


def path_length(see: See, starts: Tensor, ends: Tensor, y: Tensor | None, spherical: bool, epsilon: float,
                generator: torch.Generator) -> float:
    """The perceptual path length: the mean of |f(z(t + epsilon)) - f(z(t))|^2 / epsilon^2, at least 0.

    Each of n pairs, starts and ends (n, z_dim), of labels y (n, classes) if any, gives one t, uniform in 0..1 from
    `generator`. `see` maps rows to features f (n, d), as `rows.features`. An epsilon of 1e-4 is the paper's; far below
    it float32 rounds the steps away. ScoreError when the mean is not finite.
    """
    t = torch.rand(len(starts), 1, generator=generator, dtype=torch.float64, device=generator.device).to(starts.device)
    between = slerp if spherical else linear
    total = 0.0
    for part in torch.arange(len(starts)).split(BATCH):
        a, b, y_part = starts[part], ends[part], None if y is None else y[part]
        near, far = (see(joined(between(a, b, at), y_part)).double() for at in (t[part], t[part] + epsilon))
        total += float((far - near).square().sum())
    length = total / len(starts) / epsilon ** 2
    if not math.isfinite(length):
        raise ScoreError(f"the path length of {len(starts)} pairs is {length}")
    return length


def largest_step(features: np.ndarray | Tensor, closed: bool) -> float:
    """The largest step over the mean one along a walk's features (frames, d); a closed walk steps back to its start.

    1: the walk moves evenly. A smooth generator tends to the largest speed over the mean one as steps get finer; where
    it jumps, the ratio grows with their number, which is its bound. ScoreError when nothing moves, or not to a finite
    place.
    """
    x = np.asarray(features, np.float64)
    lengths = np.linalg.norm(np.diff(np.concatenate([x, x[:1]]) if closed else x, axis=0), axis=1)
    if not np.isfinite(lengths).all() or not lengths.any():
        raise ScoreError(f"the {len(x)} frames of a walk do not move, or not to finite places")
    return float(lengths.max() / lengths.mean())
