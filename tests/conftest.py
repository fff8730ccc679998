"""Settings that every test runs under."""

from __future__ import annotations

import torch
from hypothesis import settings

# Several BLAS threads on a busy machine can slow small matrices twentyfold, and change their last bits.
torch.set_num_threads(1)

# The same examples on every machine, and no time limits: both would make a test pass or fail by luck.
settings.register_profile("sparring", deadline=None, derandomize=True)
settings.load_profile("sparring")
