"""Bound propagation through a network, differentiable, for training.

What a network can answer on a whole box of inputs is enclosed layer by layer. Training lowers these bounds;
whether a trained network keeps a promise is for ``hauberk.evaluation`` to say, with arithmetic of its own.
"""

from __future__ import annotations

from hauberk.models.bounds.backward import check_walk, walked_logits
from hauberk.models.bounds.box import Box, ball, boxes, worst_logits
from hauberk.models.bounds.layers import chain

__all__ = ["Box", "ball", "boxes", "chain", "check_walk", "walked_logits", "worst_logits"]
