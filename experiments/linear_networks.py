"""Claim: linear networks agree with the early phase of those with non-linearities.

    python -m experiments.linear_networks --data fashion_mnist \
        --records DIR --data-root DIR [--scale cpu]

Each architecture and itself without non-linearities, compared as `cross_architecture`
compares two architectures: up to an accuracy that both reach. `criteria.toml` says what
holds.

Costs the ensembles of the atlas, which other claims share; then seconds.
Expected: it holds, after Hacohen et al. 2020.
"""

import sys

from experiments.claim import claim
from experiments.cross_architecture import measure

if __name__ == "__main__":
    sys.exit(claim("linear_networks", __doc__, measure)())
