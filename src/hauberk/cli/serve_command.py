from __future__ import annotations

import tomllib
from collections.abc import Callable
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from hauberk.cli import callers, common, keys
from hauberk.cli.backup.options import repository_of
from hauberk.core.errors import ConfigError
from hauberk.core.processors import processors

if TYPE_CHECKING:
    from hauberk.access.tokens import TokenVerifier
    from hauberk.protection.sign import SignedOnly
    from hauberk.serving.address import Address
    from hauberk.serving.guard.policy import GuardPolicy
    from hauberk.serving.limits import Limits
    from hauberk.serving.running import Service
    from hauberk.serving.workers import Make

_PATH = click.Path(path_type=Path)


@click.command("serve", epilog="Example: hauberk serve --models digits=runs/first/hardened --port 8080")
@click.option("--vault", "vault_folder", type=_PATH, default=None, metavar="DIR",
              help="Serve from this vault, to callers with API keys.")  # fmt: skip
@click.option("--models", multiple=True, metavar="NAME[=PKG]",
              help="With --vault NAME, NAME@ALIAS or NAME@3 of it; else a package or sealed file, under the "
              "name that callers use; repeatable.")  # fmt: skip
@callers.caller_options
@click.option("--guard", "guard_file", type=_PATH, default=None, metavar="FILE",
              help="What the guard does about what it finds, TOML [default: its own policy].")  # fmt: skip
@click.option("--no-guard", is_flag=True, help="Do not watch what callers do.")
@click.option("--tokens", type=(str, str, str), multiple=True, metavar="ISSUER AUDIENCE KEYS",
              help="Believe this issuer's bearer tokens for this audience; KEYS is its JWKS address or file; "
              "repeatable.")  # fmt: skip
@click.option("--single-use-tokens", is_flag=True, help="A token is good once, and needs a 'jti'.")
@click.option("--backups", default=None, metavar="REPO", help="Show the vault's backups there in the console.")
@click.option("--backup-password-file", type=_PATH, default=None, metavar="FILE",
              envvar="HAUBERK_BACKUP_PASSWORD_FILE",
              help="Opens them [default: $HAUBERK_BACKUP_PASSWORD_FILE].")  # fmt: skip
@click.option("--tls", type=(_PATH, _PATH), default=None, metavar="CERT KEY", help="Encrypt: TLS 1.3.")
@click.option("--mtls", type=_PATH, default=None, metavar="CA", help="Callers must show its certificate.")
@click.option("--host", default="127.0.0.1", show_default=True, metavar="HOST", help="Where to listen.")
@click.option("--port", type=int, default=8080, show_default=True, metavar="PORT", help="0 takes a free one.")
@click.option("--plain-network", is_flag=True, help="No TLS although others can listen in: behind a proxy.")
@click.option("--cors", multiple=True, metavar="ORIGIN",
              help="Let pages of this web origin ask from browsers; repeatable [default: none].")  # fmt: skip
@click.option("--workers", type=click.IntRange(1, 256), default=1, show_default=True, metavar="N",
              help="Processes.")  # fmt: skip
@click.option("--threads", type=click.IntRange(1, 1024), default=None, metavar="N",
              help="Of each process's network [default: the cores, shared out].")  # fmt: skip
@click.option("--public-key", type=_PATH, multiple=True, metavar="PUBLIC.pem",
              help="Serve only what its holder signed; repeatable.")  # fmt: skip
@click.option("--ca", type=_PATH, multiple=True, metavar="CERT.pem",
              help="Serve only what somebody whom it certifies signed; repeatable.")  # fmt: skip
@keys.identity_options
@click.option("--poll", "poll_s", type=float, default=2.0, show_default=True, metavar="S",
              help="Seconds between two looks for other models.")  # fmt: skip
@click.option("--set", "settings", multiple=True, metavar="KEY=VALUE", help="A limit, such as batch_rows=128.")
@click.option("--otel", default=None, metavar="URL",
              help="Send traces there (OTLP), such as to http://127.0.0.1:4318/v1/traces.")  # fmt: skip
@common.json_option
def command(
    vault_folder: Path | None,
    models: tuple[str, ...],
    as_name: str | None,
    api_key_file: Path | None,
    guard_file: Path | None,
    no_guard: bool,
    tokens: tuple[tuple[str, str, str], ...],
    single_use_tokens: bool,
    backups: str | None,
    backup_password_file: Path | None,
    tls: tuple[Path, Path] | None,
    mtls: Path | None,
    host: str,
    port: int,
    plain_network: bool,
    cors: tuple[str, ...],
    workers: int,
    threads: int | None,
    public_key: tuple[Path, ...],
    ca: tuple[Path, ...],
    identities: tuple[Path, ...],
    passphrase: bool,
    passphrase_file: Path | None,
    poll_s: float,
    settings: tuple[str, ...],
    otel: str | None,
    as_json: bool,
) -> None:
    """Serve models over the Open Inference Protocol until told to stop.

    From a vault, what is in production is served to callers whom the vault knows by their API keys, and every
    decision stands in its audit trail. Without one, anybody who reaches the server may ask: then it speaks to
    this machine alone, or with --mtls to those who show a certificate.

    Prints the address when every model is loaded; the log goes to standard error, a JSON object a line.
    Stops at SIGTERM when all requests are answered; looks for other models at SIGHUP.
    """
    from hauberk.serving import logs, needs
    from hauberk.serving.address import is_loopback
    from hauberk.serving.cors import Cors
    from hauberk.serving.folders import places_of

    needs.check_installed()
    if vault_folder is None and (as_name or api_key_file or guard_file or no_guard or tokens or backups):
        raise ConfigError(
            "who serves, who calls, the guard of callers and backups belong to a vault: --vault DIR"
        )
    if single_use_tokens and not tokens:
        raise ConfigError("--single-use-tokens goes with --tokens")
    policy = None if no_guard else _policy(guard_file)
    repository = None if backups is None else repository_of(backups, backup_password_file)
    names = sorted(places_of(models)) if vault_folder is None else sorted(models)
    if not names:
        raise ConfigError("nothing to serve", hint="--models NAME, repeatable")
    readers = []
    if identities or passphrase or passphrase_file:
        readers = keys.identities_of(identities, passphrase, passphrase_file)
    limits = _limits(settings)
    origins, issuers = Cors(cors) if cors else None, _issuers(tokens)
    address = _address(tls, mtls, host, port, plain_network)
    if vault_folder is None and mtls is None and not plain_network and not is_loopback(host):
        raise ConfigError(
            f"on {host} anybody could ask: without a vault the server knows no callers",
            hint="--vault DIR, whose API keys say who may; or --mtls CA",
        )

    def make(place: Address) -> Service:
        import torch

        from hauberk.serving.admitting import Checks
        from hauberk.serving.folders import FolderSource
        from hauberk.serving.of_vault import Callers, service_of
        from hauberk.serving.running import Service
        from hauberk.serving.tracing import Traces
        from hauberk.vault import open_vault

        torch.set_num_threads(threads or max(1, processors() // workers))
        traces = None if otel is None else partial(Traces.to, otel)
        more: dict[str, Any] = {
            "address": place,
            "limits": limits,
            "poll_s": poll_s,
            "traces": traces,
            "cors": origins,
        }
        if vault_folder is not None:
            vault = open_vault(vault_folder)
            vault.gate = ExitStack().enter_context(callers.admitted(vault, as_name, api_key_file))
            known = Callers(issuers, single_use=single_use_tokens)
            more["backups"] = repository
            return service_of(vault, names, readers, policy=policy, callers=known, **more)
        source = FolderSource(places_of(models), Checks(_signed(public_key, ca), readers))
        return Service(source=source, **more)

    def listening(url: str) -> None:
        if as_json:
            common.print_json({"url": url, "models": names})
        else:
            click.echo(f"{url}: serving {', '.join(names)}")

    logs.write_to()
    _run(make, address, workers, listening)


def _issuers(tokens: tuple[tuple[str, str, str], ...]) -> list[TokenVerifier]:
    from hauberk.access.jwks import KeySet
    from hauberk.access.tokens import TokenVerifier
    from hauberk.core.errors import DataError

    if len({issuer for issuer, _audience, _keys in tokens}) < len(tokens):
        raise ConfigError("--tokens names an issuer twice")
    for _issuer, _audience, keys_at in tokens:
        if "://" not in keys_at and not Path(keys_at).is_file():
            raise DataError(
                f"no file at {keys_at}", hint="--tokens ISSUER AUDIENCE KEYS: a JWKS address or file"
            )
    return [TokenVerifier(issuer, audience, KeySet(keys)) for issuer, audience, keys in tokens]


def _policy(file: Path | None) -> GuardPolicy:
    from hauberk.core.errors import DataError
    from hauberk.core.files import read_bytes
    from hauberk.serving.guard.policy import GuardPolicy

    if file is None:
        return GuardPolicy()
    try:
        document = tomllib.loads(read_bytes(file, what="policy of the guard").decode())
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise DataError(f"{file} is not TOML: {error}") from error
    if list(document) != ["guard"] or not isinstance(document["guard"], dict):
        raise ConfigError(f"{file} must have one table, [guard]", hint="docs/guard.md shows one")
    return GuardPolicy.of(document["guard"])


def _run(make: Make, address: Address, workers: int, listening: Callable[[str], None]) -> None:
    if workers > 1:
        from hauberk.serving.workers import run_workers

        run_workers(make, address, workers, listening)
        return
    from hauberk.serving.running import run

    with address.bind() as bound:
        run(make(address), bound, lambda: listening(address.url(bound)))


def _limits(settings: tuple[str, ...]) -> Limits:
    from hauberk.core.settings import check_settings
    from hauberk.serving.limits import Limits

    given = common.parse_settings(settings)
    check_settings(Limits, given, where="--set")
    return Limits(**given)


def _address(
    tls: tuple[Path, Path] | None, mtls: Path | None, host: str, port: int, plain_network: bool
) -> Address:
    from hauberk.serving.address import Address
    from hauberk.serving.tls import Tls

    if mtls is not None and tls is None:
        raise ConfigError("--mtls asks callers for certificates, and needs --tls CERT KEY for the server's own")
    if plain_network and tls is not None:
        raise ConfigError("--plain-network and --tls contradict each other")
    encrypted = None if tls is None else Tls(certificate=tls[0], key=tls[1], client_ca=mtls)
    return Address(host=host, port=port, tls=encrypted, plain_network=plain_network)


def _signed(public_keys: tuple[Path, ...], authorities: tuple[Path, ...]) -> SignedOnly | None:
    from hauberk.protection.sign import Authority, PublicKey, SignedOnly

    trusted = (*(PublicKey(one) for one in public_keys), *((Authority(authorities),) if authorities else ()))
    return SignedOnly(trusted) if trusted else None
