"""Hours that grow with the load: of terminals, ports, single-track sections, streets."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True)
class DelayFunctions:
    """
    Hours of resources by their load, ``free (1 + rise (load / capacity)^power)`` (Bureau of Public Roads, 1964).

    Attributes
    ----------
    free, rise, capacity, power
        Shape (n,): hours without load, share they rise by at capacity, capacity above zero, power of at least 1.
    """

    free: Floats
    rise: Floats
    capacity: Floats
    power: Floats

    def delay(self, load: Floats) -> Floats:
        """Hours at loads not below zero."""
        return np.asarray(self.free * (1 + self.rise * (load / self.capacity) ** self.power))

    def slope(self, load: Floats) -> Floats:
        """Change of the hours by a unit of load."""
        growth = self.power / self.capacity * (load / self.capacity) ** (self.power - 1)
        return np.asarray(self.free * self.rise * growth)

    def integral(self, load: Floats) -> Floats:
        """Area under the hours from no load."""
        return np.asarray(self.free * load * (1 + self.rise * (load / self.capacity) ** self.power / (self.power + 1)))
