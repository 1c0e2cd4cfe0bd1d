"""What a certifier hands out, and the frame of every certifier."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import ClassVar

from torch import Tensor

from hauberk.core.progress import Progress
from hauberk.models import Classifier
from hauberk.threats import ThreatModel


@dataclass(frozen=True)
class Certificate:
    """What was shown of one sample.

    Args:
        certified: no point within the threat changes the label, which is the right one.
        prediction: without attack; None where the certifier abstains.
        margin: what the label's logit leads by at least, everywhere in the ball; None where unknown.
        radius: the radius up to which the label was shown to hold; None where only the threat's was asked.
        by: the method that gave the certificate, or None.
    """

    index: int
    label: int
    prediction: int | None
    certified: bool
    margin: float | None = None
    radius: float | None = None
    by: str | None = None


@dataclass(frozen=True, kw_only=True)
class Certifier(ABC):
    """A configured, immutable way to certify.

    Class attributes: ``name``; ``confidence`` is None where certificates are proofs, else the probability with
    which each one holds.
    """

    name: ClassVar[str]

    @property
    def confidence(self) -> float | None:
        return None

    @abstractmethod
    def certificates(
        self,
        classifier: Classifier,
        images: Tensor,
        labels: Tensor,
        threat: ThreatModel,
        *,
        seed: int,
        progress: Progress,
    ) -> list[Certificate]:
        """One for each image, in order; images float32 ``(n, ...)`` within bounds and on the CPU.

        Raises:
            ConfigError: a threat for which this method has no certificates.
            UnsupportedModel: a classifier for which it has none.
        """
