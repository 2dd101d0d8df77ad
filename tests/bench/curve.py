"""A line chart as an SVG file: seconds over hosts, both from nought, so that what is linear looks so."""

from pathlib import Path

COLOURS = ("#1b6ac9", "#c4501b", "#2b8a3e", "#7a4fb5")
WIDTH, HEIGHT, LEFT, RIGHT, TOP, BOTTOM = 720, 430, 64, 24, 62, 52
INK, GRID = "#333333", "#dddddd"


def write(file, title, under, lines):
    """`lines` is {name: {hosts: seconds}}; `under` says where and when, below the title."""
    hosts = sorted({number for points in lines.values() for number in points})
    top = nice(max(seconds for points in lines.values() for seconds in points.values()))
    across = lambda number: LEFT + number / hosts[-1] * (WIDTH - LEFT - RIGHT)  # noqa: E731
    up = lambda seconds: HEIGHT - BOTTOM - seconds / top * (HEIGHT - TOP - BOTTOM)  # noqa: E731
    drawn = [text(LEFT, 24, title, size=16, weight="bold"), text(LEFT, 44, under, size=12)]
    for step in range(6):
        seconds = top * step / 5
        drawn.append(line(LEFT, up(seconds), WIDTH - RIGHT, up(seconds), GRID))
        drawn.append(text(LEFT - 8, up(seconds) + 4, f"{seconds:g} s", anchor="end"))
    for number in hosts:
        drawn.append(line(across(number), HEIGHT - BOTTOM, across(number), HEIGHT - BOTTOM + 5, INK))
        drawn.append(text(across(number), HEIGHT - BOTTOM + 20, str(number), anchor="middle"))
    drawn.append(text((LEFT + WIDTH - RIGHT) / 2, HEIGHT - 12, "hosts", anchor="middle"))
    for index, (name, points) in enumerate(lines.items()):
        colour = COLOURS[index]
        path = " ".join(f"{across(number):.1f},{up(points[number]):.1f}" for number in sorted(points))
        drawn.append(f'<polyline points="{path}" fill="none" stroke="{colour}" stroke-width="2.5"/>')
        drawn += [f'<circle cx="{across(n):.1f}" cy="{up(s):.1f}" r="4" fill="{colour}"/>' for n, s in points.items()]
        drawn.append(text(LEFT + 34, TOP + 22 + 20 * index, name))
        drawn.append(line(LEFT + 10, TOP + 18 + 20 * index, LEFT + 28, TOP + 18 + 20 * index, colour, 3))
    frame = f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" width="{WIDTH}" height="{HEIGHT}">'
    paper = f'<rect width="{WIDTH}" height="{HEIGHT}" fill="white"/>'
    Path(file).write_text("\n".join([frame, paper, *drawn, "</svg>", ""]))


def nice(value):
    """The next round number that five even steps lead up to."""
    power = 1.0
    while power * 50 < value:
        power *= 10
    return next(
        power * round_number for round_number in (5, 10, 15, 20, 25, 30, 40, 50) if power * round_number >= value
    )


def text(x, y, content, size=13, anchor="start", weight="normal"):
    content = content.replace("&", "&amp;").replace("<", "&lt;")
    style = f'font-family="sans-serif" font-size="{size}" font-weight="{weight}" text-anchor="{anchor}" fill="{INK}"'
    return f'<text x="{x:.1f}" y="{y:.1f}" {style}>{content}</text>'


def line(x1, y1, x2, y2, colour, width=1):
    return f'<line x1="{x1:.1f}" y1="{y1:.1f}" x2="{x2:.1f}" y2="{y2:.1f}" stroke="{colour}" stroke-width="{width}"/>'
