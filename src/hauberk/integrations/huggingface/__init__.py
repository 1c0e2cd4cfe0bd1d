"""Hugging Face's folders, in and out: ``config.json``, ``model.safetensors``, a card with measured figures.

    from hauberk.integrations.huggingface import export_folder, import_folder

    model = import_folder("downloads/vit").classifier
    export_folder("models/hard", "upload/hard")

A folder is read from disk; nothing is fetched from the Hub, and no code that a folder brings along is run. What
the transformers library can build goes out as a folder that it loads without Hauberk.
"""

from hauberk.integrations.huggingface.exporting import export_folder
from hauberk.integrations.huggingface.importing import import_folder
from hauberk.integrations.huggingface.network import FACTORY, image_classifier

__all__ = ["FACTORY", "export_folder", "image_classifier", "import_folder"]
