"""torch.export programs: run as data, whatever the file tries."""

from __future__ import annotations

import copy
import io
import json
import pickle
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

import hauberk
from hauberk.core.errors import (
    ConfigError,
    DataError,
    HauberkError,
    IntegrityError,
    UnknownName,
    UnsupportedModel,
)
from hauberk.models import Classifier, load, save
from hauberk.models.importing import aten, export, import_model, pt2
from hauberk.models.importing.program import FILE, ProgramModule
from hauberk.models.twin import fast_twin

pytestmark = pytest.mark.filterwarnings("ignore:`isinstance.treespec, LeafSpec:FutureWarning")

ANY_BATCH = ({0: torch.export.Dim("batch")},)


class Small(nn.Module):
    def __init__(self, in_place: bool = False) -> None:
        super().__init__()
        self.act = nn.ReLU(in_place)
        self.conv = nn.Conv2d(1, 4, 3)
        self.norm = nn.BatchNorm2d(4)
        self.drop = nn.Dropout(0.5)
        self.dense = nn.Linear(4 * 3 * 3, 5)
        self.register_buffer("shift", torch.tensor(0.25))

    def forward(self, x: Tensor) -> Tensor:
        x = self.act(self.norm(self.conv(x - self.shift)))
        left, right = torch.nn.functional.max_pool2d(x, 2).chunk(2, dim=1)
        x = torch.cat([right * 1.0, left + torch.full((1,), 2.0)], dim=1)[:, :, 0:]
        return self.dense(self.drop(x.view(x.size(0), -1)))


def trained(seed: int = 0) -> nn.Module:
    torch.manual_seed(seed)
    module = Small()
    with torch.no_grad():
        for _ in range(3):
            module(torch.rand(16, 1, 8, 8))
    return module.eval()


def exported(module: nn.Module, path: Path, **settings: Any) -> Path:
    settings = {"dynamic_shapes": ANY_BATCH} | settings
    program = torch.export.export(module, (torch.rand(2, 1, 8, 8),), **settings)
    torch.export.save(program, path)
    return path


@pytest.fixture(scope="module")
def original() -> nn.Module:
    return trained()


@pytest.fixture(scope="module")
def program(original: nn.Module, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return exported(original, tmp_path_factory.mktemp("program") / "model.pt2")


def test_it_answers_as_the_original(original: nn.Module, program: Path, tmp_path: Path) -> None:
    imported = import_model(program)
    classifier = imported.classifier
    for size in (1, 2, 7):
        x = torch.rand(size, 1, 8, 8)
        torch.testing.assert_close(classifier(x), original(x))
    assert classifier.input_shape == (1, 8, 8)
    assert classifier.num_classes == 5
    assert imported.evidence.parameters["format"] == "torch.export"
    assert "sample inputs" in imported.evidence.result["conversions"][0]
    assert set(classifier.module.state_dict()) == set(original.state_dict())


@pytest.mark.parametrize("in_place", [True, False])
def test_in_place_operations_and_fast_layouts_change_nothing(tmp_path: Path, in_place: bool) -> None:
    module = Small(in_place).eval()
    classifier = import_model(exported(module, tmp_path / "model.pt2")).classifier
    x = torch.rand(3, 1, 8, 8)
    torch.testing.assert_close(classifier(x), module(x))
    torch.testing.assert_close(classifier(x), module(x))  # a second time: nothing was changed
    assert all(one.is_contiguous() for one in classifier.weights().values())


def test_the_package_holds_data_only(original: nn.Module, program: Path, tmp_path: Path) -> None:
    classifier = import_model(program).classifier
    save(classifier, tmp_path / "package")
    assert (tmp_path / "package" / FILE).read_bytes().startswith(b"{")
    again = load(tmp_path / "package")
    x = torch.rand(3, 1, 8, 8)
    torch.testing.assert_close(again(x), original(x))
    assert again.digest == classifier.digest
    # the user's own paths, which torch writes into the file, do not travel
    assert b"test_importing" not in (tmp_path / "package" / FILE).read_bytes()


def test_another_graph_in_the_package_is_refused(program: Path) -> None:
    module = import_model(program).classifier.module
    files = module.package_files()
    args = module.architecture()["args"]
    other = json.loads(files[FILE])
    other["output"] = "linear_7"
    with pytest.raises(IntegrityError, match=r"model\.json"):
        ProgramModule.from_package(args, {FILE: json.dumps(other).encode()})
    with pytest.raises(IntegrityError, match="lacks"):
        ProgramModule.from_package(args, {})
    with pytest.raises(UnknownName):
        ProgramModule.from_package({"code": "x"}, files)


def test_gradients_copies_and_training(program: Path) -> None:
    classifier = import_model(program).classifier
    x = torch.rand(4, 1, 8, 8, requires_grad=True)
    classifier(x).sum().backward()
    assert x.grad is not None
    assert x.grad.abs().sum() > 0
    twin = fast_twin(classifier)
    assert twin is not classifier
    torch.testing.assert_close(twin(x), classifier(x))
    copied = copy.deepcopy(classifier).train()
    assert not torch.equal(copied(x), copied(x))  # dropout
    mean = copied.module.state_dict()["norm.running_mean"].clone()
    copied(x)
    assert not torch.equal(mean, copied.module.state_dict()["norm.running_mean"])
    assert copied.eval()(x).shape == (4, 5)
    weights = dict(copied.named_parameters())
    assert len(weights) == 6
    optimizer = torch.optim.SGD(copied.parameters(), 0.1)
    before = copied.module.state_dict()["dense.weight"].clone()
    torch.nn.functional.cross_entropy(copied(x), torch.arange(4)).backward()
    optimizer.step()
    assert not torch.equal(before, copied.module.state_dict()["dense.weight"])


def test_decomposed_programs_run_too(original: nn.Module, tmp_path: Path) -> None:
    traced = torch.export.export(original, (torch.rand(2, 1, 8, 8),), dynamic_shapes=ANY_BATCH)
    torch.export.save(traced.run_decompositions(), tmp_path / "core.pt2")
    x = torch.rand(3, 1, 8, 8)
    torch.testing.assert_close(import_model(tmp_path / "core.pt2").classifier(x), original(x))


@pytest.mark.parametrize("architecture", ["cnn", "mlp", "preact-resnet18"])
def test_built_in_networks_can_be_exported(architecture: str, tmp_path: Path) -> None:
    from hauberk.models import architectures

    torch.manual_seed(0)
    module = architectures.build(architecture, (1, 12, 12), 4)
    classifier = Classifier(module, input_shape=(1, 12, 12), labels=4, normalization=([0.3], [0.2])).eval()
    made = export(classifier)
    x = torch.rand(3, 1, 12, 12)
    torch.testing.assert_close(made(x), classifier(x), atol=1e-5, rtol=1e-5)
    save(made, tmp_path / "package")
    torch.testing.assert_close(load(tmp_path / "package")(x), made(x))


def test_export_saves_what_no_factory_can_name(tmp_path: Path) -> None:
    class Local(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.layer = nn.Linear(4, 3)

        def forward(self, x: Tensor) -> Tensor:
            return self.layer(torch.tanh(x))

    classifier = Classifier(Local(), input_shape=(4,), labels=["a", "b", "c"]).eval()
    with pytest.raises(UnsupportedModel, match="cannot be saved"):
        save(classifier, tmp_path / "package")
    made = export(classifier)
    save(made, tmp_path / "package")
    x = torch.rand(6, 4)
    assert torch.equal(load(tmp_path / "package")(x), classifier(x))
    assert made.labels == classifier.labels
    assert made.evidence[-1].kind == "import"
    assert made.evidence[-1].inputs["model"]["digest"] == classifier.digest


def test_what_cannot_be_traced_is_a_clear_error() -> None:
    class Chooser(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            return x[:, :2] if float(x.sum()) > 0 else x[:, 1:3]

    classifier = Classifier(Chooser(), input_shape=(4,), labels=2).eval()
    with pytest.raises(UnsupportedModel, match="cannot trace"):
        export(classifier)
    with pytest.raises(ConfigError):
        export(nn.Linear(2, 2))  # type: ignore[arg-type]


def test_fixed_batches_and_train_mode_are_refused_with_the_way_out(tmp_path: Path) -> None:
    fixed = exported(trained(), tmp_path / "fixed.pt2", dynamic_shapes=None)
    with pytest.raises(UnsupportedModel, match="exactly 2") as caught:
        import_model(fixed)
    assert "Dim" in str(caught.value.hint)
    training = exported(Small().train(), tmp_path / "train.pt2")
    with pytest.raises(UnsupportedModel) as caught:
        import_model(training)
    assert "eval()" in str(caught.value.hint)


def test_open_image_sizes_need_the_callers_word(tmp_path: Path) -> None:
    class Any_(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.conv = nn.Conv2d(1, 3, 3)

        def forward(self, x: Tensor) -> Tensor:
            return self.conv(x).mean((2, 3))

    dims = ({0: torch.export.Dim("n"), 2: torch.export.Dim("h", min=4), 3: torch.export.Dim("w", min=4)},)
    path = exported(Any_().eval(), tmp_path / "any.pt2", dynamic_shapes=dims)
    with pytest.raises(ConfigError, match="any size"):
        import_model(path)
    assert import_model(path, input_shape=(1, 9, 7)).classifier.input_shape == (1, 9, 7)
    with pytest.raises(ConfigError, match="takes images"):
        import_model(path, input_shape=(3, 9, 7))


# What a file may try


class Bomb:
    """Unpickling it creates a file."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[Callable[..., Any], tuple[Any, ...]]:
        return Path.touch, (self.path,)


def rewritten(source: Path, target: Path, change: Callable[[str, bytes], bytes | None]) -> Path:
    with zipfile.ZipFile(source) as before, zipfile.ZipFile(target, "w") as after:
        for name in before.namelist():
            data = change(name, before.read(name))
            if data is not None:
                after.writestr(name, data)
    return target


def in_graph(change: Callable[[Any], None]) -> Callable[[str, bytes], bytes]:
    def apply(name: str, data: bytes) -> bytes:
        if not name.endswith("models/model.json"):
            return data
        document = json.loads(data)
        change(document)
        return json.dumps(document).encode()

    return apply


def test_pickled_sample_inputs_are_never_opened(program: Path, original: nn.Module, tmp_path: Path) -> None:
    mark = tmp_path / "ran"
    stream = io.BytesIO()
    torch.save(Bomb(mark), stream)

    def poison(name: str, data: bytes) -> bytes:
        return stream.getvalue() if name.endswith("sample_inputs/model.pt") else data

    path = rewritten(program, tmp_path / "bad.pt2", poison)
    x = torch.rand(2, 1, 8, 8)
    torch.testing.assert_close(import_model(path).classifier(x), original(x))
    assert not mark.exists()
    pickle.loads(pickle.dumps(Bomb(mark)))  # the bomb is live
    assert mark.exists()


def test_pickled_weights_that_run_code_are_refused(program: Path, tmp_path: Path) -> None:
    mark = tmp_path / "ran"
    stream = io.BytesIO()
    torch.save({"dense.weight": Bomb(mark)}, stream)
    path = rewritten(program, tmp_path / "bad.pt2", lambda _name, data: data)
    with zipfile.ZipFile(path, "a") as archive:
        root = archive.namelist()[0].split("/")[0]
        archive.writestr(f"{root}/data/weights/model.pt", stream.getvalue())
    with pytest.raises(IntegrityError, match=r"pathlib\.Path\.touch|getattr"):
        import_model(path)

    def pickled(name: str, data: bytes) -> bytes:
        return data.replace(b'"use_pickle": false', b'"use_pickle": true') if "weights_config" in name else data

    with pytest.raises(UnsupportedModel, match="pickle"):
        import_model(rewritten(program, tmp_path / "flag.pt2", pickled))
    assert not mark.exists()


@pytest.mark.parametrize(
    "target",
    [
        "torch.os.system",
        "torch.serialization.os.system",
        "torch.ops.aten.from_file.default",
        "torch.ops.aten.set_.source_Tensor",
        "torch.ops.prim.device.default",
        "_operator.methodcaller",
        "math.__loader__.load_module",
        "torch.hub.load",
        "os.system",
        "torch.ops.aten.relu.__class__",
        "torch.ops.higher_order.cond",
        "#custom.thing",
    ],
)
def test_a_node_calls_only_what_is_on_the_list(program: Path, tmp_path: Path, target: str) -> None:
    mark = tmp_path / "ran"

    def change(document: Any) -> None:
        node = document["graph_module"]["graph"]["nodes"][1]
        node["target"] = target
        node["inputs"] = [{"name": "", "arg": {"as_string": f"touch {mark}"}, "kind": 1}]

    with pytest.raises(UnsupportedModel):
        import_model(rewritten(program, tmp_path / "bad.pt2", in_graph(change)))
    assert not mark.exists()


def test_sizes_are_never_evaluated(program: Path, original: nn.Module, tmp_path: Path) -> None:
    mark = tmp_path / "ran"
    code = f"__import__('pathlib').Path('{mark}').touch()"

    def change(document: Any) -> None:
        for facts in document["graph_module"]["graph"]["tensor_values"].values():
            for size in facts["sizes"]:
                if "as_expr" in size:
                    size["as_expr"]["expr_str"] = code

    path = rewritten(program, tmp_path / "bad.pt2", in_graph(change))
    x = torch.rand(2, 1, 8, 8)
    torch.testing.assert_close(import_model(path).classifier(x), original(x))
    assert not mark.exists()


def test_names_are_never_turned_into_code(program: Path, original: nn.Module, tmp_path: Path) -> None:
    mark = tmp_path / "ran"
    evil = f"x = __import__('pathlib').Path('{mark}').touch() #"
    path = rewritten(
        program,
        tmp_path / "bad.pt2",
        lambda name, data: data.replace(b'"conv2d"', json.dumps(evil).encode()) if "models/" in name else data,
    )
    x = torch.rand(2, 1, 8, 8)
    torch.testing.assert_close(import_model(path).classifier(x), original(x))
    assert not mark.exists()


def test_weights_cannot_take_the_place_of_methods(program: Path, tmp_path: Path) -> None:
    def change(name: str, data: bytes) -> bytes:
        return data.replace(b"dense.weight", b"forward") if name.endswith(".json") else data

    with pytest.raises(UnsupportedModel, match="torch itself uses"):
        import_model(rewritten(program, tmp_path / "bad.pt2", change))


def test_damaged_files(program: Path, tmp_path: Path) -> None:
    whole = program.read_bytes()
    (tmp_path / "cut.pt2").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(DataError):
        import_model(tmp_path / "cut.pt2")
    for leaf in ("model_weights_config.json", "weight_0", "models/model.json"):
        path = rewritten(
            program, tmp_path / "less.pt2", lambda name, data, leaf=leaf: None if name.endswith(leaf) else data
        )
        with pytest.raises(HauberkError):
            import_model(path)
    short = rewritten(
        program, tmp_path / "short.pt2", lambda name, data: data[:4] if name.endswith("weight_0") else data
    )
    with pytest.raises(DataError, match="damaged"):
        import_model(short)
    garbled = rewritten(
        program, tmp_path / "odd.pt2", lambda name, data: b"[1, 2]" if name.endswith("model.json") else data
    )
    with pytest.raises(DataError):
        import_model(garbled)


def test_files_of_older_torch_versions(program: Path, original: nn.Module, tmp_path: Path) -> None:
    with zipfile.ZipFile(program) as archive:
        graph = next(archive.read(name) for name in archive.namelist() if name.endswith("models/model.json"))
    weights, rest = io.BytesIO(), io.BytesIO()
    torch.save(original.state_dict(), weights)
    constants = {
        name: one for name, one in pt2.read(program).weights.items() if name not in original.state_dict()
    }
    torch.save(constants, rest)
    with zipfile.ZipFile(tmp_path / "old.pt2", "w") as archive:
        archive.writestr("serialized_exported_program.json", graph)
        archive.writestr("serialized_state_dict.pt", weights.getvalue())
        archive.writestr("serialized_constants.pt", rest.getvalue())
        archive.writestr("serialized_example_inputs.pt", pickle.dumps(Bomb(tmp_path / "ran")))
        archive.writestr("version", "8.4")
    x = torch.rand(2, 1, 8, 8)
    torch.testing.assert_close(import_model(tmp_path / "old.pt2").classifier(x), original(x))
    assert not (tmp_path / "ran").exists()


def test_every_listed_operation_is_known_to_this_torch_or_absent() -> None:
    known = [name for name in aten.ALLOWED if getattr(torch.ops.aten, name, None) is not None]
    assert len(known) > 200
    assert not {"from_file", "set_", "resize_", "record_stream", "set_data"} & aten.ALLOWED


def test_attacks_work_on_it(program: Path) -> None:
    classifier = import_model(program).classifier
    x = torch.rand(4, 1, 8, 8)
    attack = hauberk.attacks.PGD(steps=3)
    found = attack(classifier, x, classifier(x).argmax(1), hauberk.Linf(0.1), seed=0)
    assert found is not None
