"""Learners that are not networks, through scikit-learn, as members with snapshots."""

from jaxorder.learners.registry import (
    LEARNERS,
    Learner,
    is_learner,
    learner,
)

__all__ = ["LEARNERS", "Learner", "is_learner", "learner"]
