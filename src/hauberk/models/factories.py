"""Building a network from code outside Hauberk: ``module:function``, only where the user has said so.

A package that names a factory asks to run code. Naming one yourself (``hauberk import --factory``, or
``architecture={"factory": ...}`` in Python, then ``save``) is that permission, and it is remembered for this
user in ``trusted-factories.txt`` in the settings folder; a package from elsewhere that names another factory
is refused until the user allows it. This protects against packages, not against the allowed module itself.
"""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from torch import nn

from hauberk.core.errors import AccessDenied, ConfigError, DependencyMissing, UnsupportedModel
from hauberk.core.files import settings_folder, write_atomic


def _trust_file() -> Path:
    return settings_folder() / "trusted-factories.txt"


def trusted() -> frozenset[str]:
    """The factories this user has allowed, one per line of the trust file."""
    try:
        lines = _trust_file().read_text("utf-8", errors="replace").splitlines()
    except OSError:
        return frozenset()
    return frozenset(line.strip() for line in lines if line.strip() and not line.startswith("#"))


def trust(factory: str) -> None:
    """Remember that this user allows ``factory``."""
    split(factory)
    known = trusted()
    if factory not in known:
        text = "# factories that model packages may call, one module:function a line\n"
        write_atomic(_trust_file(), (text + "\n".join(sorted(known | {factory})) + "\n").encode(), mode=0o600)


def split(factory: str) -> tuple[str, str]:
    """``module:function`` as its two names.

    Raises:
        ConfigError: it is not written so.
    """
    module, colon, name = factory.partition(":")
    if not colon or not all(part.isidentifier() for part in [*module.split("."), *name.split(".")]):
        raise ConfigError(f"a factory is written module:function, got '{factory}'")
    return module, name


def call(factory: str, args: Mapping[str, Any]) -> nn.Module:
    """The module that ``factory(**args)`` returns; the caller has checked that it may be called.

    Raises:
        DependencyMissing: its package is not installed.
        ConfigError: no such function, or arguments it does not take.
        UnsupportedModel: it returned something else than a module.
    """
    module_name, name = split(factory)
    try:
        found: Any = importlib.import_module(module_name)
    except ImportError as error:
        raise DependencyMissing(
            f"the model's factory '{factory}' cannot be imported: {error}",
            hint=f"install the package that provides '{module_name}', or add its folder to PYTHONPATH",
        ) from error
    for part in name.split("."):
        if not hasattr(found, part):
            raise ConfigError(f"module '{module_name}' has no '{name}'")
        found = getattr(found, part)
    try:
        made = found(**args)
    except TypeError as error:
        raise ConfigError(f"factory '{factory}' refused its arguments {dict(args)}: {error}") from error
    if not isinstance(made, nn.Module):
        raise UnsupportedModel(f"factory '{factory}' returned {type(made).__name__}, not a torch.nn.Module")
    return made


def call_trusted(factory: str, args: Mapping[str, Any]) -> nn.Module:
    """``call``, refused unless this user has allowed the factory.

    Raises:
        AccessDenied: nobody has allowed it here.
        ConfigError: it is not written module:function.
    """
    split(factory)  # the hint below is for pasting into a shell: nothing but names may stand in it
    if factory not in trusted():
        raise AccessDenied(
            f"the package wants to run '{factory}', which has not been allowed on this account",
            hint='if you trust that code: python -c "from hauberk.models import factories; '
            f"factories.trust('{factory}')\"",
        )
    return call(factory, args)
