"""The only door to the model that is being stolen: it shows answers, counts questions, and closes in time."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from hauberk.core.errors import BudgetExceeded, ConfigError, UnsupportedModel, check_known
from hauberk.models import Classifier
from hauberk.models.checks import check_classifier
from hauberk.models.twin import pass_size, passes
from hauberk.threats import Knowledge


class Victim:
    """What a thief sees of a model.

    Args:
        classifier: the model; in eval mode.
        queries: how many images may be asked about, in all.
        knowledge: ``Knowledge.SCORES`` shows probabilities, ``Knowledge.LABELS`` the predicted class only.

    ``spent`` counts the images asked about so far.

    Raises:
        ConfigError: no classifier in eval mode, or a thief who sees the weights.
    """

    def __init__(self, classifier: Classifier, *, queries: int, knowledge: Knowledge) -> None:
        self._classifier = check_classifier(classifier)
        self.knowledge = knowledge
        self.queries = queries
        self.spent = 0

    @property
    def left(self) -> int:
        return self.queries - self.spent

    @torch.no_grad()
    def ask(self, images: Tensor) -> Tensor:
        """Probabilities ``(n, classes)``, float32 on the CPU; one-hot where labels only are shown.

        Raises:
            BudgetExceeded: more images than there are questions left; none of them was asked then.
            UnsupportedModel: answers that are not one finite logit per label.
        """
        if len(images) > self.left:
            raise BudgetExceeded(
                f"{len(images)} questions, but only {self.left} of {self.queries} are left",
                left=self.left,
                budget=self.queries,
            )
        self.spent += len(images)
        classifier = self._classifier
        parts = [
            classifier(images[part].to(classifier.device)).float().cpu()
            for part in passes(len(images), pass_size(classifier))
        ]
        logits = torch.cat(parts)
        if logits.shape != (len(images), classifier.num_classes) or not bool(torch.isfinite(logits).all()):
            raise UnsupportedModel(
                f"the victim must answer {len(images)} images with finite logits "
                f"({len(images)}, {classifier.num_classes}), it gave {tuple(logits.shape)}"
            )
        if self.knowledge is Knowledge.LABELS:
            return F.one_hot(logits.argmax(dim=1), classifier.num_classes).float()
        return logits.softmax(dim=1)


def thief_knowledge(knowledge: Knowledge | str) -> Knowledge:
    """``scores`` or ``labels``, by word or as a ``Knowledge``.

    Raises:
        UnknownName: no such knowledge.
        ConfigError: white-box, which leaves nothing to steal.
    """
    if isinstance(knowledge, Knowledge):
        level = knowledge
    else:
        words = {one.word: one for one in Knowledge}
        check_known([knowledge], words, what="knowledge", where="the theft")
        level = words[knowledge]
    if level is Knowledge.WHITE_BOX:
        raise ConfigError(
            "whoever sees the weights has the model already: a thief sees scores or labels",
            hint="knowledge='scores' or 'labels'",
        )
    return level
