"""Times in words."""

import numpy as np

from latentopt.durations import duration


def test_times_are_told_in_the_unit_that_suits_them():
    assert [duration(s) for s in np.array([0.4, 59, 60, 3601])] == ["0 s", "59 s", "1 min", "1.0 h"]
