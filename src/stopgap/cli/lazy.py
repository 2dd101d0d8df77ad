"""Typer without pydantic, where a command can do without: that takes as long to import as Typer itself.

Typer converts each option's value by pydantic, also the defaults, which are what they should be already.
"""

from typing import Any

from typer.core import TyperCommand, TyperGroup, TyperOption


class LazyOption(TyperOption):
    """Converts only what was given."""

    def process_value(self, ctx: Any, value: Any) -> Any:
        source = ctx.get_parameter_source(self.name)
        if source is None or source.name != "DEFAULT" or self.required or self.multiple:
            return super().process_value(ctx, value)
        return self.callback(ctx, self, value) if self.callback else value


class LazyCommand(TyperCommand):
    def get_params(self, ctx: Any) -> Any:
        return _lazy(super().get_params(ctx))


class LazyGroup(TyperGroup):
    def get_params(self, ctx: Any) -> Any:
        return _lazy(super().get_params(ctx))


def _lazy(params: list[Any]) -> list[Any]:
    for one in params:
        if type(one) is TyperOption:  # Typer makes them, and of no other class
            one.__class__ = LazyOption
    return params
