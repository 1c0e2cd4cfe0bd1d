"""What ``mlflow.pyfunc`` loads a pushed package with: images in, probabilities out."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from hauberk.models import Classifier


class Answering:
    """A classifier as MLflow calls it."""

    def __init__(self, classifier: Classifier) -> None:
        self.classifier = classifier

    def predict(self, model_input: Any, params: dict[str, Any] | None = None) -> NDArray[np.float32]:
        """Probabilities, float32 ``(n, classes)``, for images ``(n, *input_shape)``.

        A classifier that rejects has one more column, last.

        Raises:
            DataError: images of another shape, outside the bounds, or not numbers.
        """
        import numpy as np
        import torch

        from hauberk.models.checks import check_images

        images = torch.from_numpy(np.array(model_input, dtype=np.float32))
        images = check_images(self.classifier, images)
        with torch.no_grad():
            answers: NDArray[np.float32] = self.classifier(images).softmax(dim=1).float().numpy()
        return answers


def _load_pyfunc(path: str) -> Answering:
    """MLflow's hook: the package, every digest in it checked."""
    from hauberk.models import load

    return Answering(load(path))
