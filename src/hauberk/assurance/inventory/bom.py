"""The inventory as one CycloneDX document, written by CycloneDX's own library and held against its schema.

The library has no words for the model card yet; that part is put into its document here, and the whole is
checked. The same facts give the same bytes: the serial number is made from them.
"""

from __future__ import annotations

import json
import uuid
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Literal

from hauberk.assurance.inventory.card import born, card_of
from hauberk.assurance.inventory.libraries import ROOT, Library
from hauberk.core.canonical import digest
from hauberk.core.errors import ConfigError, DataError, DependencyMissing, IntegrityError

if TYPE_CHECKING:
    from cyclonedx.model import Property
    from cyclonedx.model.component import Component

    from hauberk.assurance.target import Model

Specification = Literal["1.6", "1.7"]
SPECIFICATIONS: tuple[Specification, ...] = ("1.6", "1.7")
_OURS = uuid.UUID("6f1c1c0e-5a0e-5d0b-9b6e-0d1f5f3c7a11")  # the space of names of these serial numbers
_HERE = "hauberk:"  # before the names of properties, as CycloneDX's taxonomy asks


def make_bom(
    model: Model,
    libraries: Sequence[Library],
    *,
    at: datetime,
    licence: str | None = None,
    specification: Specification = "1.6",
) -> str:
    """The inventory of a model.

    Args:
        model: as ``gather_model`` read it; only evidence that counts is used.
        libraries: what it runs with.
        at: the document's time.
        licence: of the model, an SPDX expression; a package says none.
        specification: of CycloneDX.

    Returns:
        JSON, valid against the schema.

    Raises:
        DependencyMissing: without the extra ``bom``.
        IntegrityError: the package cannot be believed.
        ConfigError: an unknown specification.
        DataError: the document does not fit the schema, which a name in the evidence must have caused.

    Limits: lists what the package and its evidence say. Data that went in unsaid is not in it.
    """
    if specification not in SPECIFICATIONS:
        raise ConfigError(
            f"no such specification of CycloneDX: '{specification}'; known: {', '.join(SPECIFICATIONS)}"
        )
    if model.broken:
        raise IntegrityError(f"{model.place}: {model.broken}")
    document = _document(model, libraries, at, licence, specification)
    text = json.dumps(document, indent=1, ensure_ascii=False) + "\n"
    check(text, specification)
    return text


def ready() -> None:
    """Whether an inventory can be made here at all, before something long is begun.

    Raises:
        DependencyMissing: without the extra ``bom``.
    """
    with _extra():
        import cyclonedx.validation.json  # noqa: F401


def check(text: str, specification: Specification) -> None:
    """Hold a document against CycloneDX's schema, and its references against each other.

    Raises:
        DataError: it does not fit; the message names the first fault.
    """
    with _extra():
        from cyclonedx.schema import SchemaVersion
        from cyclonedx.validation.json import JsonStrictValidator
    fault = JsonStrictValidator(SchemaVersion.from_version(specification)).validate_str(text)
    if fault is not None:
        raise DataError(f"the inventory does not fit CycloneDX {specification}: {str(fault).splitlines()[0]}")
    document = json.loads(text)
    known = list(_references(document))
    twice = {one for one in known if known.count(one) > 1}
    if twice:
        raise DataError(f"the inventory names two things '{min(twice)}'")
    used = {one["ref"] for one in document["metadata"]["component"]["modelCard"]["modelParameters"]["datasets"]}
    used |= {one for line in document["dependencies"] for one in (line["ref"], *line.get("dependsOn", []))}
    if used - set(known):
        raise DataError(f"the inventory refers to '{min(used - set(known))}', which is not in it")


@contextmanager
def _extra() -> Iterator[None]:
    try:
        yield
    except ImportError as error:
        raise DependencyMissing.extra("an inventory (CycloneDX)", "bom") from error


def _references(value: Any) -> Iterable[str]:
    if isinstance(value, dict):
        if "bom-ref" in value:
            yield value["bom-ref"]
        for one in value.values():
            yield from _references(one)
    elif isinstance(value, list):
        for one in value:
            yield from _references(one)


def _document(
    model: Model, libraries: Sequence[Library], at: datetime, licence: str | None, specification: Specification
) -> dict[str, Any]:
    with _extra():
        from cyclonedx.model.bom import Bom
        from cyclonedx.model.tool import ToolRepository
        from cyclonedx.output import make_outputter
        from cyclonedx.schema import OutputFormat, SchemaVersion
    subject, data = _model(model, licence), _datasets(model)
    parts = {one.name: _library(one) for one in libraries}
    bom = Bom(
        components=[*data.values(), *parts.values()], serial_number=_serial(model, libraries, at, licence)
    )
    bom.metadata.timestamp = at.astimezone(UTC).replace(microsecond=0)
    bom.metadata.component = subject
    if ROOT in parts:
        bom.metadata.tools = ToolRepository(components=[_tool(parts[ROOT])])
    roots = [part for name, part in parts.items() if not any(name in one.needs for one in libraries)]
    bom.register_dependency(subject, [*data.values(), *roots])
    for one in libraries:
        bom.register_dependency(parts[one.name], [parts[name] for name in one.needs])
    written = make_outputter(
        bom, OutputFormat.JSON, SchemaVersion.from_version(specification)
    ).output_as_string()
    document: dict[str, Any] = json.loads(written)
    document["metadata"]["component"]["modelCard"] = card_of(model, list(data))
    return document


def _serial(model: Model, libraries: Sequence[Library], at: datetime, licence: str | None) -> uuid.UUID:
    facts = [model.package, [one.digest for one in model.evidence], at.isoformat(), licence]
    return uuid.uuid5(_OURS, digest([*facts, [repr(one) for one in libraries]]))


def _model(model: Model, licence: str | None) -> Component:
    from cyclonedx.model.component import Component, ComponentType, Pedigree

    made = {name: version for one in born(model) for name, version in one.versions.items()}
    facts = {
        "model": model.subject.digest,
        "package": model.package,
        "signature": model.signed.state,
        **{f"made-with:{name}": version for name, version in made.items()},
    }
    properties = _properties(facts)
    properties |= {_property(f"evidence:{one.kind}", one.digest) for one in model.evidence}
    return Component(
        name=model.subject.name,
        type=ComponentType.MACHINE_LEARNING_MODEL,
        version=(model.package or "").removeprefix("sha256:")[:12],
        bom_ref=f"model:{model.subject.digest}",
        licenses=_licences(licence or ""),
        components=_files(model),
        pedigree=Pedigree(ancestors=_ancestors(model)),
        properties=properties,
    )


def _files(model: Model) -> list[Component]:
    """Every file of the package with its hash, as the manifest lists it."""
    from cyclonedx.model import HashAlgorithm, HashType
    from cyclonedx.model.component import Component, ComponentType

    return [
        Component(
            name=name,
            type=ComponentType.FILE,
            bom_ref=f"file:{model.subject.digest}:{name}",
            hashes=[HashType(alg=HashAlgorithm.SHA_256, content=facts["sha256"])],
        )
        for name, facts in model.manifest.get("files", {}).items()
    ]


def _ancestors(model: Model) -> list[Component]:
    """Models it was made of, and files it was brought in from."""
    from cyclonedx.model import HashAlgorithm, HashType
    from cyclonedx.model.component import Component, ComponentType

    found: dict[str, Component] = {}
    for one in born(model):
        base = one.inputs.get("model")
        if isinstance(base, Mapping) and base.get("digest") not in (None, model.subject.digest):
            name = str(base["digest"])
            found[name] = Component(
                name=str(base.get("name")),
                type=ComponentType.MACHINE_LEARNING_MODEL,
                bom_ref=f"base:{name}",
                properties=_properties({"model": name, "step": one.kind, "evidence": one.digest}),
            )
        brought = one.parameters.get("file_digest")
        if one.kind == "import" and isinstance(brought, str):
            found[brought] = Component(
                name=str(one.parameters.get("file")),
                type=ComponentType.MACHINE_LEARNING_MODEL,
                bom_ref=f"base:{brought}",
                hashes=[HashType(alg=HashAlgorithm.SHA_256, content=brought.removeprefix("sha256:"))],
                properties=_properties({"format": str(one.parameters.get("format")), "evidence": one.digest}),
            )
    return list(found.values())


def _datasets(model: Model) -> dict[str, Component]:
    """Every data set that evidence names, by reference, with what it was for."""
    from cyclonedx.model.component import Component, ComponentType

    uses: dict[str, dict[str, Any]] = {}
    for one in model.evidence:
        for role, given in one.inputs.items():
            if isinstance(given, Mapping) and "samples" in given and isinstance(given.get("digest"), str):
                use = uses.setdefault(str(given["digest"]), {**given, "for": set()})
                use["for"].add(one.kind if role == "dataset" else f"{one.kind}, {role.replace('_', ' ')}")
    return {
        f"data:{name}": Component(
            name=str(use.get("name")),
            type=ComponentType.DATA,
            bom_ref=f"data:{name}",
            description=f"{use['samples']} samples, for {'; '.join(sorted(use['for']))}",
            properties=_properties({"digest": name, "samples": str(use["samples"])}),
        )
        for name, use in uses.items()
    }


def _library(one: Library) -> Component:
    from cyclonedx.model import ExternalReference, ExternalReferenceType, HashAlgorithm, HashType, XsUri
    from cyclonedx.model.component import Component, ComponentType
    from packageurl import PackageURL

    purl = PackageURL("pypi", name=one.name, version=one.version)
    files = [
        ExternalReference(
            type=ExternalReferenceType.DISTRIBUTION,
            url=XsUri(purl.to_string()),
            comment=f"file {number} that may be installed",
            hashes=[HashType(alg=HashAlgorithm.SHA_256, content=each)],
        )
        for number, each in enumerate(one.files, 1)
    ]
    return Component(
        name=one.name,
        version=one.version,
        type=ComponentType.LIBRARY,
        bom_ref=purl.to_string(),
        purl=purl,
        licenses=_licences(one.licence),
        external_references=files,
        properties=_properties({"record-sha256": one.record or None}),
    )


def _tool(library: Component) -> Component:
    from cyclonedx.model.component import Component, ComponentType

    return Component(name=library.name, version=library.version, type=ComponentType.APPLICATION)


def _licences(said: str) -> list[Any]:
    from cyclonedx.contrib.license.factories import LicenseFactory

    return [LicenseFactory().make_from_string(said)] if said else []


def _properties(facts: Mapping[str, str | None]) -> set[Property]:
    return {_property(name, value) for name, value in facts.items() if value}


def _property(name: str, value: str) -> Property:
    from cyclonedx.model import Property

    return Property(name=_HERE + name, value=value)
