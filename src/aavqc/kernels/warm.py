"""Compile every kernel once, so that workers which start together find the machine code on disk."""

from __future__ import annotations

import numpy as np

from aavqc.kernels import as_input
from aavqc.kernels.lamm import lamm_basis
from aavqc.kernels.project import center, center_seen


def warm() -> None:
    """Call each kernel on the smallest arrays that take it through both of its schemes.

    Workers that all compile the same kernel at once lose that time each, and write one cache
    file together. A kernel that is cached already is only loaded.

    Examples
    --------
    >>> warm()
    """
    s, diffusion = as_input([1e-13, 60e-13]), as_input([4e-7, 2e-7])
    radii, w = as_input(np.linspace(6.1, 6.9, 20)), as_input([1e9, 5e9])
    out = np.empty((s.size, w.size, radii.size))
    lamm_basis(s, diffusion, 6.0, 7.2, 4.4e6, 60.0, w, radii, 3.0, out)
    center(out, True, True)
    center_seen(out, as_input(np.ones(out.shape[1:])), as_input(np.eye(w.size)), True, True)
