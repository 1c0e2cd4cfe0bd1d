"""Folders of the transformers library come in and answer as the library does; what asks for code stays out."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

import hauberk
from hauberk.attacks import FGSM
from hauberk.cli.app import run
from hauberk.core.errors import (
    ConfigError,
    DataError,
    DependencyMissing,
    HauberkError,
    IntegrityError,
    UnsupportedModel,
)
from hauberk.datasets import Dataset
from hauberk.integrations.huggingface import export_folder, image_classifier, import_folder
from hauberk.integrations.huggingface.card import _plain
from hauberk.integrations.huggingface.network import FAMILIES
from hauberk.models import read, save

SMALL: dict[str, dict[str, Any]] = {
    "beit": {"hidden_size": 16, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 32,
             "image_size": 16, "patch_size": 4},
    "convnext": {"hidden_sizes": [8, 16], "depths": [1, 1], "num_stages": 2, "patch_size": 2, "image_size": 16},
    "convnextv2": {"hidden_sizes": [8, 16], "depths": [1, 1], "num_stages": 2, "patch_size": 2,
                   "image_size": 16},
    "deit": {"hidden_size": 16, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 32,
             "image_size": 16, "patch_size": 4},
    "dinov2": {"hidden_size": 16, "num_hidden_layers": 2, "num_attention_heads": 2, "image_size": 16,
               "patch_size": 4},
    "mobilenet_v2": {"depth_multiplier": 0.1, "image_size": 32},
    "regnet": {"embedding_size": 8, "hidden_sizes": [8, 16, 16, 16], "depths": [1, 1, 1, 1], "groups_width": 4},
    "resnet": {"embedding_size": 8, "hidden_sizes": [8, 16], "depths": [1, 1], "layer_type": "basic"},
    "swin": {"embed_dim": 8, "depths": [1, 1], "num_heads": [2, 2], "window_size": 2, "image_size": 16,
             "patch_size": 2},
    "vit": {"hidden_size": 16, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 32,
            "image_size": 16, "patch_size": 4},
}  # fmt: skip
_MEAN, _STD = [0.4, 0.5, 0.6], [0.2, 0.25, 0.3]


@pytest.fixture(autouse=True)
def library(absent: Callable[[str, str], None]) -> Iterator[None]:
    try:
        import transformers
    except ImportError:
        absent("transformers", "pip install 'hauberk[huggingface]'")
    transformers.logging.set_verbosity_error()
    transformers.utils.logging.disable_progress_bar()
    yield
    transformers.utils.logging.enable_progress_bar()


def made(folder: Path, family: str, **further: Any) -> Path:
    """A folder as ``save_pretrained`` writes it, with random weights."""
    from transformers import AutoConfig, AutoModelForImageClassification

    torch.manual_seed(len(family))
    named = {place: f"kind {place}" for place in range(5)}
    config = AutoConfig.for_model(family, **{**SMALL[family], "id2label": named, **further})
    config.architectures = [FAMILIES[family]]
    network = AutoModelForImageClassification.from_config(config)
    for one in network.parameters():  # fresh heads answer with next to nothing
        torch.nn.init.normal_(one, std=0.2)
    network.save_pretrained(folder)
    return folder


@pytest.fixture
def vit(tmp_path: Path) -> Path:
    return made(tmp_path / "vit", "vit")


def edit(path: Path, **changes: Any) -> None:
    path.write_text(json.dumps({**json.loads(path.read_text()), **changes}))


def library_answers(folder: Path, images: torch.Tensor) -> torch.Tensor:
    from transformers import AutoModelForImageClassification

    network = AutoModelForImageClassification.from_pretrained(folder).eval()
    with torch.no_grad():
        answers: torch.Tensor = network(images).logits
    return answers


@pytest.mark.parametrize("family", SMALL)
def test_every_family_answers_as_the_library_does(family: str, tmp_path: Path) -> None:
    """In, saved as a package, loaded, out again: the library reads the result and says the same."""
    folder = made(tmp_path / family, family)
    shape = None if "image_size" in SMALL[family] else (3, 32, 32)
    model = import_folder(folder, input_shape=shape).classifier
    images = torch.rand(4, *model.input_shape)
    truth = library_answers(folder, images)
    assert float(truth.std()) > 1e-3
    torch.testing.assert_close(model(images), truth, atol=1e-5, rtol=1e-5)
    assert model.labels == tuple(f"kind {place}" for place in range(5))
    save(model, tmp_path / "package")
    again = hauberk.load(tmp_path / "package")
    assert again.digest == model.digest
    torch.testing.assert_close(again(images), truth, atol=1e-5, rtol=1e-5)
    export_folder(tmp_path / "package", tmp_path / "out")
    torch.testing.assert_close(library_answers(tmp_path / "out", images), truth, atol=1e-5, rtol=1e-5)
    assert import_folder(tmp_path / "out", input_shape=shape).classifier.digest == model.digest


@pytest.mark.parametrize(
    "processor",
    [
        {"do_normalize": True, "image_mean": _MEAN, "image_std": _STD},
        {"do_normalize": False},
        {"do_normalize": True, "image_mean": _MEAN, "image_std": _STD, "rescale_factor": 1 / 128},
        {"do_normalize": True, "image_mean": [100.0] * 3, "image_std": [50.0] * 3, "do_rescale": False},
    ],
)
def test_the_processors_arithmetic_becomes_the_contract(vit: Path, processor: dict[str, Any]) -> None:
    """Pixels through the library's own processor, and the same pixels as images in [0, 1]."""
    transformers = pytest.importorskip("transformers")
    settings = {"do_resize": False, "size": {"height": 16, "width": 16}, **processor}
    (vit / "preprocessor_config.json").write_text(json.dumps(settings))
    kind = getattr(transformers, "ViTImageProcessorPil", None) or transformers.ViTImageProcessor
    pixels = np.random.default_rng(0).integers(0, 256, (2, 16, 16, 3), dtype=np.uint8)
    given = kind(**settings)(images=list(pixels), return_tensors="np")["pixel_values"]
    model = import_folder(vit).classifier
    images = torch.from_numpy(pixels.transpose(0, 3, 1, 2).astype(np.float32) / 255)
    truth = library_answers(vit, torch.from_numpy(np.asarray(given, np.float32)))
    torch.testing.assert_close(model(images), truth, atol=1e-4, rtol=1e-4)


def test_the_processor_goes_out_and_comes_back(vit: Path, tmp_path: Path) -> None:
    settings = {"do_normalize": True, "image_mean": _MEAN, "image_std": _STD}
    (vit / "preprocessor_config.json").write_text(json.dumps(settings))
    model = import_folder(vit).classifier
    save(model, tmp_path / "package")
    export_folder(tmp_path / "package", tmp_path / "out")
    again = import_folder(tmp_path / "out").classifier
    assert again.contract() == model.contract()


def test_it_is_attacked_like_any_other(vit: Path) -> None:
    model = import_folder(vit).classifier
    images = torch.rand(8, 3, 16, 16)
    labels = model(images).argmax(1)
    found = hauberk.evaluate(model, images, labels, hauberk.Linf(0.3), attacks=[FGSM()])
    assert found.clean_accuracy == 1
    assert found.robust_accuracy < 1


def test_the_evidence_says_where_it_came_from(vit: Path) -> None:
    imported = import_folder(vit)
    scan, record = imported.classifier.evidence
    assert (scan.kind, record.kind, record.parents) == ("scan", "import", (scan.digest,))
    assert record.parameters["format"] == "huggingface"
    assert record.parameters["file_digest"] == scan.inputs["files"][0]["digest"]
    assert "transformers" in record.versions


@pytest.mark.parametrize(
    ("changes", "error", "says"),
    [
        ({"auto_map": {"AutoModel": "evil.Evil"}}, IntegrityError, "asks for code"),
        ({"quantization_config": {"quant_method": "x"}}, IntegrityError, "asks for code"),
        ({"model_type": "bert"}, UnsupportedModel, "'bert' is none of"),
        ({"model_type": ["vit"]}, UnsupportedModel, "is none of"),
        ({"architectures": ["ViTModel"]}, UnsupportedModel, "not ViTForImageClassification"),
        ({"hidden_size": 17}, UnsupportedModel, "mismatched"),
        ({"patch_size": 0}, ConfigError, "makes no network"),
        ({"hidden_act": "no-such-thing"}, ConfigError, "makes no network"),
        ({"num_hidden_layers": 3}, UnsupportedModel, "missing"),
        ({"num_hidden_layers": 1}, UnsupportedModel, "unexpected"),
        ({"intermediate_size": 64}, UnsupportedModel, "mismatched"),
        ({"id2label": {"0": "a", "7": "b"}}, DataError, "leaves classes out"),
        ({"id2label": ["a", "b"]}, DataError, "by their number"),
        ({"image_size": "large"}, ConfigError, "what size"),
    ],
)
def test_what_is_refused(vit: Path, changes: dict[str, Any], error: type[HauberkError], says: str) -> None:
    edit(vit / "config.json", **changes)
    with pytest.raises(error, match=says):
        import_folder(vit)


def test_kernels_from_the_hub_are_not_asked_for(vit: Path) -> None:
    edit(vit / "config.json", attn_implementation="somebody/kernel", _attn_implementation="somebody/kernel")
    model = import_folder(vit).classifier
    config: Any = model.module.config
    assert config._attn_implementation == "eager"
    assert "somebody" not in json.dumps(model.architecture)


def test_nothing_else_of_the_folder_is_followed(vit: Path) -> None:
    """An adapter's file would make the library look for a base model elsewhere."""
    (vit / "adapter_config.json").write_text(
        '{"base_model_name_or_path": "somebody/else", "peft_type": "LORA"}'
    )
    assert import_folder(vit).classifier.num_classes == 5


def test_pickles_and_shards_stay_out(vit: Path) -> None:
    weights = vit / "model.safetensors"
    weights.rename(vit / "model-00001-of-00001.safetensors")
    torch.save({}, vit / "pytorch_model.bin")
    with pytest.raises(DataError, match=r"holds no model\.safetensors"):
        import_folder(vit)
    (vit / "model.safetensors.index.json").write_text("{}")
    with pytest.raises(UnsupportedModel, match="several files"):
        import_folder(vit)


def test_a_cut_file_is_a_finding(vit: Path) -> None:
    weights = vit / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:-9])
    with pytest.raises(IntegrityError, match="was not read"):
        import_folder(vit)


def test_building_draws_nothing_from_the_callers_randomness(vit: Path) -> None:
    torch.manual_seed(1)
    first = torch.rand(1)
    torch.manual_seed(1)
    import_folder(vit)
    assert torch.equal(torch.rand(1), first)


def test_without_the_library(vit: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import sys

    monkeypatch.setitem(sys.modules, "transformers", None)
    with pytest.raises(DependencyMissing, match="huggingface"):
        image_classifier(json.loads((vit / "config.json").read_text()))


@pytest.fixture
def measured(plain_package: Path, digits: Dataset, tmp_path: Path) -> Path:
    shutil.copytree(plain_package, tmp_path / "models" / "plain")
    few = digits.head(16)
    found = hauberk.evaluate(
        hauberk.load(plain_package), few.images, few.labels, hauberk.Linf(0.1), dataset=few, name="plain"
    )
    found.evidence.save(tmp_path / "models" / "evidence")
    return tmp_path / "models" / "plain"


def test_our_own_networks_make_the_round_trip(measured: Path, digits: Dataset, tmp_path: Path) -> None:
    export_folder(measured, tmp_path / "out")
    imported = import_folder(tmp_path / "out")
    before = read(measured)
    assert imported.classifier.digest == before.model_digest
    born = tuple(one.digest for one in before.evidence)
    kinds = [one.kind for one in imported.classifier.evidence]
    assert tuple(one.digest for one in imported.classifier.evidence[1:-1]) == born
    assert (kinds[0], kinds[-1]) == ("scan", "import")
    save(imported.classifier, tmp_path / "again")
    images = digits.images[:8]
    assert torch.equal(hauberk.load(tmp_path / "again")(images), hauberk.load(measured)(images))


def test_a_changed_folder_of_ours_is_refused(measured: Path, tmp_path: Path) -> None:
    export_folder(measured, tmp_path / "out")
    weights = tmp_path / "out" / "model.safetensors"
    data = bytearray(weights.read_bytes())
    data[-1] ^= 1
    weights.write_bytes(data)
    with pytest.raises(IntegrityError, match="another model than the one it names"):
        import_folder(tmp_path / "out")


def test_evidence_of_another_model_is_refused(measured: Path, hardened_package: Path, tmp_path: Path) -> None:
    export_folder(measured, tmp_path / "out")
    shutil.rmtree(tmp_path / "out" / "evidence")
    shutil.copytree(hardened_package / "evidence", tmp_path / "out" / "evidence")
    with pytest.raises(IntegrityError, match="evidence is of another model"):
        import_folder(tmp_path / "out")


def test_the_card_holds_the_measured_figures(measured: Path, tmp_path: Path) -> None:
    """Read by the Hub's own library."""
    from huggingface_hub import ModelCard

    export_folder(measured, tmp_path / "out")
    card = ModelCard.load(tmp_path / "out" / "README.md")
    (document,) = [
        json.loads(one.read_text()) for one in (measured.parent / "evidence").glob("evaluation-*.json")
    ]
    figures = {one.metric_name: one.metric_value for one in card.data.eval_results}
    assert figures == {
        "accuracy": document["result"]["clean_accuracy"],
        "worst-case accuracy (linf 0.1, white-box)": document["result"]["robust_accuracy"],
    }
    assert card.data.library_name == "hauberk"
    assert card.data.pipeline_tag == "image-classification"
    assert document["digest"] in card.text


@pytest.mark.parametrize("kind", ["ours", "the library's"])
def test_the_card_s_digest_is_the_one_that_info_shows(
    kind: str, measured: Path, vit: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The card's own commands, on the folder that it lies in."""
    package = measured
    if kind != "ours":
        package = save(import_folder(vit).classifier, tmp_path / "native").path
    folder = export_folder(package, tmp_path / "out")
    text = (folder / "README.md").read_text()
    (named,) = re.findall(r"^Model `(sha256:[0-9a-f]{64})`", text, re.MULTILINE)
    commands = re.findall(r"^\$ hauberk (.+)$", text, re.MULTILINE)
    assert [one.split()[0] for one in commands] == ["import", "info"]
    for one in commands:
        capsys.readouterr()
        places = {"FOLDER": str(folder), "models/mine": str(tmp_path / "mine")}
        assert run([places.get(word, word) for word in one.split()]) == 0
    assert re.search(rf"^model: +{named}$", capsys.readouterr().out, re.MULTILINE)
    assert run(["info", str(folder)]) == 2
    assert "hauberk import" in capsys.readouterr().err


def test_names_are_no_markup(measured: Path, tmp_path: Path) -> None:
    assert _plain("<b>|x\n[a](b)") == r"\<b\>\|x \[a\]\(b\)"
    hostile = measured.with_name('x"\n---\n<script>')
    measured.rename(hostile)
    export_folder(hostile, tmp_path / "out")
    text = (tmp_path / "out" / "README.md").read_text()
    assert "<script>" not in text.split("---\n", 2)[2]
    from huggingface_hub import ModelCard

    assert ModelCard(text).data.model_name == hostile.name


def test_the_verbs(measured: Path, vit: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    def call(*words: object) -> int:
        return run([str(one) for one in words])

    assert call("export", measured, "--format", "huggingface", "--out", tmp_path / "out") == 0
    assert call("import", tmp_path / "out", "--out", tmp_path / "back") == 0
    capsys.readouterr()
    assert call("import", vit, "--labels", "a,b,c,d,e", "--out", tmp_path / "vit-in", "--json") == 0
    said = json.loads(capsys.readouterr().out)
    assert said["digest"] == read(tmp_path / "vit-in").digest
    assert hauberk.load(tmp_path / "vit-in").labels == ("a", "b", "c", "d", "e")
    assert call("export", measured, "--format", "huggingface", "--out", tmp_path / "out") == 2
    assert call("export", measured, "--format", "huggingface") == 2
    assert call("import", vit, "--factory", "cnn", "--out", tmp_path / "x") == 2
    assert call("import", vit, "--bounds", "0,255", "--out", tmp_path / "x") == 2
    assert call("import", tmp_path / "out", "--labels", "a,b", "--out", tmp_path / "x") == 2
