"""Networks of every kind that obfuscation must see through, with batch norms that have seen something."""

from __future__ import annotations

from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from hauberk.models import Classifier, factories
from hauberk.models.architectures import build

CLASSES = 5


class Residual(nn.Module):
    """Norms after convolutions, as in ResNet, and a branch that is joined by concatenation."""

    def __init__(self) -> None:
        super().__init__()
        self.stem, self.norm = nn.Conv2d(1, 12, 3, padding=1), nn.BatchNorm2d(12)
        self.one, self.norm_1 = nn.Conv2d(12, 12, 3, padding=1, bias=False), nn.BatchNorm2d(12)
        self.two, self.norm_2 = nn.Conv2d(12, 12, 3, padding=1, bias=False), nn.BatchNorm2d(12)
        self.side = nn.Conv2d(12, 8, 1)
        self.head = nn.Sequential(
            nn.Linear(20 * 9, 24),
            nn.BatchNorm1d(24),
            nn.LeakyReLU(0.1),
            nn.Dropout(0.5),
            nn.Linear(24, CLASSES),
        )

    def forward(self, x: Tensor) -> Tensor:
        x = F.relu(self.norm(self.stem(x)))
        inner = F.relu(self.norm_1(self.one(x)), inplace=True)
        x = F.relu(x + self.norm_2(self.two(inner)))
        x = torch.cat([F.max_pool2d(x, 2), F.avg_pool2d(F.relu(self.side(x)), 2)], dim=1)
        out: Tensor = self.head(x.flatten(1))
        return out


class Attention(nn.Module):
    """A small vision transformer: patches, a class token, positions, one block of torch's own attention."""

    def __init__(self) -> None:
        super().__init__()
        self.patches = nn.Conv2d(1, 16, 2, 2)
        self.token = nn.Parameter(torch.randn(1, 1, 16))
        self.places = nn.Parameter(torch.randn(1, 10, 16))
        self.norm_1, self.norm_2, self.norm_3 = (nn.LayerNorm(16) for _ in range(3))
        self.attention = nn.MultiheadAttention(16, 4, batch_first=True)
        self.up, self.down = nn.Linear(16, 32), nn.Linear(32, 16)
        self.head = nn.Linear(16, CLASSES)

    def forward(self, x: Tensor) -> Tensor:
        x = self.patches(x).flatten(2).transpose(1, 2)
        x = torch.cat([self.token.expand(x.shape[0], -1, -1), x], dim=1) + self.places
        seen = self.norm_1(x)
        x = x + self.attention(seen, seen, seen, need_weights=False)[0]
        x = x + self.down(F.gelu(self.up(self.norm_2(x))))
        out: Tensor = self.head(self.norm_3(x)[:, 0])
        return out


class OwnAttention(nn.Module):
    """Attention written out: scores, softmax, weighted sum."""

    def __init__(self) -> None:
        super().__init__()
        self.patches = nn.Conv2d(1, 12, 2, 2)
        self.query, self.key, self.value = (nn.Linear(12, 12, bias=False) for _ in range(3))
        self.out, self.head = nn.Linear(12, 12), nn.Linear(12, CLASSES)

    def forward(self, x: Tensor) -> Tensor:
        x = self.patches(x).flatten(2).transpose(1, 2)  # (n, 9, 12)
        query, key, value = (
            layer(x).reshape(-1, 9, 3, 4).transpose(1, 2) for layer in (self.query, self.key, self.value)
        )
        scores = (query @ key.transpose(-2, -1) / 2).softmax(dim=-1)
        mixed = (scores @ value).transpose(1, 2).reshape(-1, 9, 12)
        out: Tensor = self.head((x + self.out(mixed)).mean(dim=1))
        return out


class Depthwise(nn.Module):
    """Depthwise and grouped convolutions, a squeeze-and-excitation gate, group norm, shuffled channels."""

    def __init__(self) -> None:
        super().__init__()
        self.expand, self.norm = nn.Conv2d(1, 16, 1), nn.BatchNorm2d(16)
        self.deep = nn.Conv2d(16, 16, 3, padding=1, groups=16)
        self.squeeze, self.excite = nn.Conv2d(16, 4, 1), nn.Conv2d(4, 16, 1)
        self.grouped, self.group_norm = nn.Conv2d(16, 24, 3, groups=4), nn.GroupNorm(4, 24)
        self.slopes = nn.PReLU(24)
        self.last, self.head = nn.Conv2d(24, 12, 1), nn.Linear(12, CLASSES)

    def forward(self, x: Tensor) -> Tensor:
        x = F.relu(self.deep(F.relu(self.norm(self.expand(x)))))
        gate = torch.sigmoid(self.excite(F.silu(self.squeeze(x.mean((2, 3), keepdim=True)))))
        x = self.slopes(self.group_norm(self.grouped(x * gate)))
        n, _, h, w = x.shape
        x = x.view(n, 4, 6, h, w).transpose(1, 2).reshape(n, 24, h, w)
        first, second = self.last(x).chunk(2, dim=1)
        x = torch.cat([second, F.relu(first)], dim=1)
        out: Tensor = self.head(F.adaptive_avg_pool2d(x, 1).flatten(1))
        return out


class Tied(nn.Module):
    """One layer used twice, and one weight under two names."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.again = nn.Linear(36, 20), nn.Linear(20, 20)
        self.twin = nn.Linear(20, 20, bias=False)
        self.twin.weight = self.again.weight
        self.head = nn.Linear(20, CLASSES)

    def forward(self, x: Tensor) -> Tensor:
        x = F.relu(self.first(x.flatten(1)))
        x = F.relu(self.again(F.relu(self.again(x))))
        out: Tensor = self.head(F.relu(self.twin(x)))
        return out


class Foreign(nn.Module):
    """A network with an operation that depends on the order of its channels."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.second = nn.Linear(36, 16), nn.Linear(16, 16)
        self.head = nn.Linear(16, CLASSES)

    def forward(self, x: Tensor) -> Tensor:
        x = F.relu(self.first(x.flatten(1)))
        out: Tensor = self.head(self.second(x).cumsum(dim=1))
        return out


NETWORKS: dict[str, Callable[[], nn.Module]] = {
    "cnn": lambda: build("cnn", (1, 6, 6), CLASSES, {"channels": [8, 12], "hidden": 16}),
    "cnn-encoded": lambda: build("cnn", (1, 6, 6), CLASSES, {"thermometer": 3, "contrast": 2.0}),
    "mlp": lambda: build("mlp", (1, 6, 6), CLASSES, {"hidden": [40, 30]}),
    "wide-resnet": lambda: build("wide-resnet", (1, 6, 6), CLASSES, {"depth": 10, "width": 1}),
    "residual": Residual,
    "attention": Attention,
    "own-attention": OwnAttention,
    "depthwise": Depthwise,
    "tied": Tied,
}


def classifier_of(module: nn.Module, seed: int = 0, shape: tuple[int, ...] = (1, 6, 6)) -> Classifier:
    """A classifier around a network whose norms have weights and statistics of their own."""
    generator = torch.Generator().manual_seed(seed)
    for one in module.modules():
        if isinstance(one, nn.BatchNorm1d | nn.BatchNorm2d | nn.LayerNorm | nn.GroupNorm):
            for name, tensor in (*one.named_parameters(), *one.named_buffers()):
                if tensor.is_floating_point():
                    noise = torch.rand(tensor.shape, generator=generator)
                    tensor.data = noise - 0.5 if name in ("bias", "running_mean") else noise + 0.5
    return Classifier(
        module, input_shape=shape, labels=CLASSES, normalization=([0.4], [0.3]) if shape[0] == 1 else None
    ).eval()


def network(name: str, seed: int = 0) -> Classifier:
    """A classifier with random weights."""
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        module = NETWORKS[name]()
    factories.trust(FACTORY)
    model = classifier_of(module, seed)
    model.architecture = {"factory": FACTORY, "args": {"name": name}}
    return model


FACTORY = f"{__name__}:make"


def make(name: str) -> nn.Module:
    """For packages, which name this function."""
    return NETWORKS[name]()


def images(count: int = 32, shape: tuple[int, ...] = (1, 6, 6)) -> Tensor:
    return torch.rand((count, *shape), generator=torch.Generator().manual_seed(7))
