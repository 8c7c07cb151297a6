"""Commands that show how they are used, and groups that suggest the near miss."""

from __future__ import annotations

from typing import Any

import click

from treadle.kernel.errors import near_misses

LIST = "list"
_WHOLE = 1000  # characters, more than any sentence has


class _Explained:
    """Ends a command's help with examples, one a line."""

    example: str

    def format_epilog(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:  # noqa: ARG002 - click's signature
        """Write the examples."""
        lines = self.example.splitlines()
        if lines:
            with formatter.section("Examples" if len(lines) > 1 else "Example"):
                for line in lines:
                    formatter.write(f"{'':>{formatter.current_indent}}{line}\n")


class Command(_Explained, click.Command):
    """A command with an example in its help."""

    def __init__(self, *args: Any, example: str = "", **attributes: Any) -> None:
        super().__init__(*args, **attributes)
        self.example = example


class Group(_Explained, click.Group):
    """A group with examples in its help; a name that it does not know gets the near miss."""

    command_class = Command

    def __init__(self, *args: Any, example: str = "", **attributes: Any) -> None:
        super().__init__(*args, **attributes)
        self.example = example

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write each command with its first sentence, whole: click would cut it in the middle."""
        named = ((name, self.get_command(ctx, name)) for name in self.list_commands(ctx))
        rows = [(name, found.get_short_help_str(_WHOLE)) for name, found in named if found]
        if rows:
            with formatter.section("Commands"):
                formatter.write_dl(rows)

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Find the command; suggest the near miss when there is none."""
        known = self.list_commands(ctx)
        if args and args[0] not in known and not args[0].startswith("-"):
            ctx.fail(f"No command {args[0]!r}. {self._advice(ctx, args[0], known)}")
        return super().resolve_command(ctx, args)

    def _advice(self, ctx: click.Context, name: str, known: list[str]) -> str:
        close = near_misses(name, known)
        if close:
            return f"Did you mean {' or '.join(close)}?"
        if "show" in known:
            return f"To see one: {ctx.command_path} show {name}"
        return f"There is: {', '.join(known)}."


class Listing(Group):
    """A group that lists its things when no command is named; `list` may be written, too."""

    def __init__(self, *args: Any, **attributes: Any) -> None:
        super().__init__(*args, invoke_without_command=True, **attributes)

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Read `treadle runs list --limit 5` as `treadle runs --limit 5`."""
        return super().parse_args(ctx, args[1:] if args[:1] == [LIST] else args)
