"""`treadle trace`: follow a prediction back to the files it was made from."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from treadle.cli.group import Command
from treadle.cli.home import client_of
from treadle.cli.output import json_option, print_json

if TYPE_CHECKING:
    from treadle.governance.entities import Node
    from treadle.governance.service import Governance


@click.command(
    "trace",
    cls=Command,
    example="treadle trace 01a1fb8fb8767000945ce8946e5c6f91\ntreadle trace late@champion",
)
@click.argument("thing", metavar="PREDICTION|MODEL@VERSION|DATASET@VERSION|EVALUATION")
@json_option
@click.pass_context
def command(ctx: click.Context, *, thing: str, as_json: bool) -> None:
    """Follow a prediction, by its id, back to the digests of the files it was made from.

    On the way: the variant that answered, its model version, the run, the pipeline's steps, the
    dataset versions. A model version, a dataset version and the id of an evaluation dataset can be
    followed as well.
    """
    node = _node(client_of(ctx).governance, thing)
    if as_json:
        print_json(node)
        return
    click.echo("\n".join(node.lines()))


def _node(governance: Governance, thing: str) -> Node:
    from treadle.evaluation.rules import is_dataset_id
    from treadle.kernel.errors import InvalidInput, NotFound

    if is_dataset_id(thing):
        return governance.trace_evaluation(thing)
    if "@" not in thing:
        return governance.trace(thing)
    try:
        return governance.trace_version(thing)
    except (InvalidInput, NotFound) as no_model:  # what cannot name an alias can name a tag
        try:
            return governance.trace_dataset(thing)
        except NotFound as no_data:
            is_dataset = (
                no_data.data["kind"] != "dataset" and no_model.data.get("kind", "model") == "model"
            )
            raise (no_data if is_dataset else no_model) from None
