from __future__ import annotations

from pathlib import Path

import click

from hauberk.cli import common


@click.command("export", epilog="Example: hauberk export models/hard --format huggingface --out upload/hard")
@common.package_argument
@click.option("--format", "form", required=True, type=click.Choice(["huggingface", "mlflow"]),
              help="A folder for the Hub, or a run and a model in MLflow.")  # fmt: skip
@click.option("--out", type=click.Path(path_type=Path), default=None, metavar="DIR",
              help="The folder to write (huggingface).")  # fmt: skip
@click.option(
    "--experiment", default=None, metavar="NAME", help="The run's experiment (mlflow) [default: hauberk]."
)
@click.option("--register", default=None, metavar="NAME",
              help="Also a new version of this registered model (mlflow).")  # fmt: skip
@click.option("--evidence", type=click.Path(path_type=Path), default=None, metavar="DIR",
              help="Where later evidence lies [default: the folder 'evidence' beside PKG].")  # fmt: skip
@common.force_option
@common.json_option
def command(
    package: Path,
    form: str,
    out: Path | None,
    experiment: str | None,
    register: str | None,
    evidence: Path | None,
    force: bool,
    as_json: bool,
) -> None:
    """Hand a package on, with what was measured of it.

    MLflow is where MLFLOW_TRACKING_URI says. hauberk import takes both back.
    """
    from hauberk.core.errors import ConfigError

    if form == "huggingface":
        if experiment is not None or register is not None:
            raise ConfigError("--experiment and --register belong to --format mlflow")
        if out is None:
            raise ConfigError("--format huggingface needs --out DIR")
        from hauberk.integrations.huggingface import export_folder

        export_folder(package, out, evidence=evidence, overwrite=force)
        if as_json:
            common.print_json({"folder": str(out)})
        else:
            click.echo(f"{out}: config.json, model.safetensors, README.md")
        return
    if out is not None or force:
        raise ConfigError("--out and --force belong to --format huggingface")
    from hauberk.integrations.mlflow import push

    pushed = push(package, experiment=experiment or "hauberk", register=register, evidence=evidence)
    if as_json:
        common.print_json(
            {
                "run": pushed.run_id,
                "model": pushed.model_uri,
                "registered": None if pushed.version is None else f"models:/{register}/{pushed.version}",
                "evidence": list(pushed.evidence),
            }
        )
        return
    click.echo(f"run {pushed.run_id}: {pushed.model_uri}, {len(pushed.evidence)} pieces of evidence")
    if pushed.version is not None:
        click.echo(f"models:/{register}/{pushed.version}")
