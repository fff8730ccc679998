"""The command that takes a generator out of a run: export."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from sparring.cli import output
from sparring.cli.recipes import AsJson, PluginFiles
from sparring.cli.run import RunFolder, require_folder
from sparring.errors import SparringError


def export(
    folder: RunFolder,
    out: Annotated[
        Path | None, typer.Option(metavar="FOLDER", help="Where it is written.", show_default="DIR/export")
    ] = None,
    network: Annotated[
        str | None,
        typer.Option(metavar="ROLE", help="Which generator, where a run has several.", show_default="generator"),
    ] = None,
    plugin: PluginFiles = None,
    as_json: AsJson = False,
) -> None:
    """Write a trained generator as ONNX, to be run without torch.

    Beside the graph, a JSON file names its inputs and outputs, their shapes and what their values are.
    """
    require_folder(folder)
    from sparring.export.onnx import export_generator
    from sparring.trained import load
    from sparring.training.generate import generator_role

    trained = load(folder, plugins=plugin or ())
    role = network or generator_role(trained.networks)
    if role not in trained.networks:
        raise SparringError(
            f"the run has no network '{role}'", where="--network", remedy=f"its networks: {', '.join(trained.networks)}"
        )
    target = out or folder / "export"
    exported = export_generator(trained.networks[role], trained.space, trained.conditions, target, role)
    if as_json:
        output.write_json(asdict(exported))
        return
    columns = ("", "name", "type", "shape", "values")
    ports = [("input", port) for port in exported.inputs] + [("output", port) for port in exported.outputs]
    rows = [(way, port.name, port.type, " x ".join(map(str, port.shape)), port.values) for way, port in ports]
    output.write_table(columns, rows)
    if exported.difference is None:
        checked = "onnxruntime is not installed: the graph was not tried"
    else:
        checked = f"onnxruntime and torch differ by at most {exported.difference:.1g}"
    output.tell(f"wrote {exported.file} and {exported.description.name}; {checked}")
