"""Bars as SVG that stands alone: no script, and nothing is fetched from anywhere."""

import re
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

__all__ = ["Bars", "write_bars"]

_LOOK: Final = {
    "background": "#ffffff",
    "plot_background": "#ffffff",
    "colors": ("#0b6e4f", "#8a8f98", "#c8553d", "#3d5a98", "#e0a030", "#6b4c9a"),
    "font_family": "sans-serif",
    "title_font_size": 18,
    "label_font_size": 13,
    "legend_font_size": 13,
    "value_font_size": 12,
}
# pygal puts a script into every chart, and names its own home in comments.
_SCRIPTS_AND_COMMENTS: Final = re.compile(r"<script\b.*?</script>|<script\b[^>]*/>|<!--.*?-->", re.DOTALL)


@dataclass(frozen=True)
class Bars:
    """One colour: a name, and a value for each label; None where there is none."""

    name: str
    values: Sequence[float | None]


def write_bars(path: Path, title: str, labels: Sequence[str], bars: Sequence[Bars]) -> None:
    """Write a chart whose values can be read without a pointer."""
    # Here, and then mended: on import it adds a finder of a kind that Python no longer knows, and from then on every
    # import of a package that is missing warns.
    import pygal

    sys.meta_path[:] = [finder for finder in sys.meta_path if type(finder).__module__ != pygal.__name__]
    chart = pygal.Bar(
        js=[],
        style=pygal.style.Style(**_LOOK),
        title=title,
        x_labels=labels,
        print_values=True,
        truncate_label=-1,
        value_formatter=lambda value: f"{value:,.0f}" if value >= 10 else f"{value:.2g}",
        legend_at_bottom=True,
        width=900,
        height=480,
        disable_xml_declaration=True,
    )
    chart.uuid = path.stem  # it is a random one otherwise, and every run would change every line
    for one in bars:
        chart.add(one.name, list(one.values))
    path.write_text(_SCRIPTS_AND_COMMENTS.sub("", chart.render(is_unicode=True)) + "\n")
