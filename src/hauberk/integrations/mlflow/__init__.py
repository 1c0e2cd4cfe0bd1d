"""MLflow: evidence and packages go into its runs and its registry, and come back verified.

    from hauberk.integrations.mlflow import pull, push

    pushed = push("models/hard", register="digits")       # where MLFLOW_TRACKING_URI says
    package = pull("models:/digits/1", "models/again")

What MLflow stores is the package as it is, without any pickle: a ``pyfunc`` model whose loader is named, so
that ``mlflow models serve`` and ``mlflow.pyfunc.load_model`` work where Hauberk is installed.

Limits: whoever may write to MLflow may replace a model there and all that it says of it. What comes back whole
is therefore not yet what was sent: check its signature (``hauberk verify``) or take it from a vault.
"""

from hauberk.integrations.mlflow.pulling import Fetched, fetched, is_uri, pull
from hauberk.integrations.mlflow.pushing import Pushed, log_evidence, push

__all__ = ["Fetched", "Pushed", "fetched", "is_uri", "log_evidence", "pull", "push"]
