"""Reads a picture back from its characters alone: its boxes, frames and ports, and which box reaches which.

Boxes carry unique one-line texts, frames unique titles. Anything that is not how pictures are drawn raises.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

UP, DOWN, LEFT, RIGHT = 1, 2, 4, 8
ARMS = {
    "│": UP | DOWN, "─": LEFT | RIGHT, "┌": DOWN | RIGHT, "┐": DOWN | LEFT, "└": UP | RIGHT, "┘": UP | LEFT,
    "├": UP | DOWN | RIGHT, "┤": UP | DOWN | LEFT, "┬": DOWN | LEFT | RIGHT, "┴": UP | LEFT | RIGHT,
    "┼": UP | DOWN | LEFT | RIGHT,
}  # fmt: skip
STEP = {UP: (0, -1), DOWN: (0, 1), LEFT: (-1, 0), RIGHT: (1, 0)}
OPPOSITE = {UP: DOWN, DOWN: UP, LEFT: RIGHT, RIGHT: LEFT}
TURNED = str.maketrans("│─┐└├┬┤┴►▼▲◄", "─│└┐┬├┴┤▼►◄▲")
Rectangle = tuple[int, int, int, int]


class Misdrawn(AssertionError):
    """What is wrong with a picture."""


class Reading:
    """A picture by its characters. One that runs right is read as if rows were columns, so that it runs down."""

    def __init__(self, text: str, boxes: Iterable[str], titles: Iterable[str] = (), *, turned: bool = False) -> None:
        rows = text.split("\n")
        width = max(map(len, rows))
        self.text = text
        self.turned = turned
        self.rows = [row.ljust(width) for row in rows]
        self.boxes = {key: self._seen(self._box(key)) for key in boxes}
        self.frames = {title: self._seen(self._frame(title)) for title in titles}
        self.tops = {(x, b[1]): k for k, b in self.boxes.items() for x in range(b[0] + 1, b[2])}
        self.lefts = {(b[0], y): k for k, b in self.boxes.items() for y in range(b[1] + 1, b[3])}
        self.rights = {(b[2], y): k for k, b in self.boxes.items() for y in range(b[1] + 1, b[3])}
        self.ports_in = self._ports(1, "▼")
        self.ports_out = self._ports(3, "┼")
        self.used_ports: set[tuple[int, int]] = set()

    def at(self, x: int, y: int) -> str:
        """The character of a cell, as if the picture ran down."""
        if not self.turned:
            return self.seen_at(x, y)
        return self.seen_at(y, x).translate(TURNED)

    def seen_at(self, x: int, y: int) -> str:
        return self.rows[y][x] if 0 <= y < len(self.rows) and 0 <= x < len(self.rows[0]) else " "

    def _seen(self, rectangle: Rectangle) -> Rectangle:
        left, top, right, bottom = rectangle
        return (top, left, bottom, right) if self.turned else rectangle

    def wrong(self, why: str) -> Misdrawn:
        return Misdrawn(f"{why}\n{self.text}")

    def edges(self) -> set[tuple[str, str]]:
        """All edges that the picture shows."""
        return {
            (key, target)
            for key, (left, _, right, bottom) in self.boxes.items()
            for x in range(left + 1, right)
            if self.at(x, bottom) == "┬"
            for target in self._follow(key, x, bottom + 1)
        }

    def _places(self, text: str) -> list[tuple[int, int]]:
        return [(match.start(), y) for y, row in enumerate(self.rows) for match in re.finditer(re.escape(text), row)]

    def _ports(self, side: int, glyph: str) -> dict[tuple[int, int], str]:
        return {
            (x, frame[side]): title
            for title, frame in self.frames.items()
            for x in range(frame[0] + 1, frame[2])
            if self.at(x, frame[side]) == glyph
        }

    def _box(self, key: str) -> Rectangle:
        """The frame of a box: no line touches it but where values leave."""
        cells = self._places(f" {key} ")
        if len(cells) != 1:
            raise self.wrong(f"{key} is in the picture {len(cells)} times")
        x, y = cells[0]
        left = max(self.rows[y].rfind(c, 0, x + 1) for c in "│├")
        right = min(at for c in "│├" if (at := self.rows[y].find(c, x + 1)) >= 0)
        return self._rectangle(key, left, right, y, leaving="├" if self.turned else "┬", entering="")

    def _frame(self, title: str) -> Rectangle:
        """The border of a container: a title and ports where values enter, ports where they leave."""
        cells = self._places(f"─ {title} ─") + self._places(f"▼ {title} ─")
        if len(cells) != 1:
            raise self.wrong(f"container {title} is in the picture {len(cells)} times")
        x, top = cells[0]
        left, right = self.rows[top].rfind("┌", 0, x + 1), self.rows[top].find("┐", x)
        entering = "►" if self.turned else "▼"
        return self._rectangle(title, left, right, top + 1, leaving="┼", entering=entering, title=f" {title} ")

    def _rectangle(
        self, name: str, left: int, right: int, row: int, *, leaving: str, entering: str, title: str = ""
    ) -> Rectangle:
        """The frame around a row, if its sides are whole and nothing touches them but what may."""
        sides = "│" + (entering + leaving if self.turned else "")
        top = bottom = row
        while self.seen_at(left, top) in sides and self.seen_at(right, top) in sides:
            top -= 1
        while self.seen_at(left, bottom) in sides and self.seen_at(right, bottom) in sides:
            bottom += 1
        corners = [self.seen_at(*c) for c in ((left, top), (right, top), (left, bottom), (right, bottom))]
        if corners != list("┌┐└┘"):
            raise self.wrong(f"the frame of {name} is broken or touched")
        upper = (
            self.rows[top][left + 1 : right].replace(title, "─" * len(title))
            if title
            else self.rows[top][left + 1 : right]
        )
        lower = self.rows[bottom][left + 1 : right]
        lefts = "".join(self.rows[y][left] for y in range(top + 1, bottom))
        rights = "".join(self.rows[y][right] for y in range(top + 1, bottom))
        allowed = [(lefts, "│" + entering), (rights, "│" + leaving), (upper, "─"), (lower, "─")]
        if not self.turned:
            allowed = [(upper, "─" + entering), (lower, "─" + leaving), (lefts, "│"), (rights, "│")]
        if any(set(found) - set(drawn) for found, drawn in allowed):
            raise self.wrong(f"a line touches {name}")
        return left, top, right, bottom

    def _follow(self, key: str, x: int, y: int) -> set[str]:
        """All boxes that a line reaches: down, sideways, straight over bridges, through ports, up on a return only."""
        todo, seen, found = [(x, y, DOWN)], set[tuple[int, int, int]](), set[str]()
        while todo:
            state = todo.pop()
            if state in seen:
                continue
            seen.add(state)
            x, y, going = state
            glyph = self.at(x, y)
            if glyph == "▼" and going == DOWN:
                if (x, y) in self.ports_in:
                    self.used_ports.add((x, y))
                    todo.append((x, y + 1, DOWN))
                elif (x, y + 1) in self.tops:
                    found.add(self.tops[x, y + 1])
                else:
                    raise self.wrong(f"▼ at {x, y} points at nothing")
                continue
            if glyph == "◄" and going == LEFT:
                found.add(self.rights[x - 1, y])
                continue
            if (x, y) in self.ports_out:
                if going != DOWN:
                    raise self.wrong(f"a line of {key} runs along a border at {x, y}")
                self.used_ports.add((x, y))
                todo.append((x, y + 1, DOWN))
                continue
            if going == LEFT and glyph in "└┴":
                found |= self._climb(key, x, y - 1)
            todo += [(x + STEP[way][0], y + STEP[way][1], way) for way in self._onwards(key, x, y, going)]
        return found

    def _onwards(self, key: str, x: int, y: int, going: int) -> list[int]:
        glyph = self.at(x, y)
        arms = ARMS.get(glyph, 0)
        if not arms:
            raise self.wrong(f"a line of {key} ends at {x, y}: {glyph!r}")
        if glyph == ("─" if self.turned else "│") and going in ((UP, DOWN) if self.turned else (LEFT, RIGHT)):
            return [going]
        if not arms & OPPOSITE[going]:
            raise self.wrong(f"a line of {key} is broken at {x, y}: {glyph!r}")
        ways = (DOWN, LEFT, RIGHT) if going == DOWN else (going, DOWN)
        return [way for way in ways if arms & way]

    def _climb(self, key: str, x: int, y: int) -> set[str]:
        """A return is one line without branches: up, right, and into a box's left side or down into a port."""
        going, turns = UP, ""
        while True:
            glyph = self.at(x, y)
            if glyph == "►" and going == RIGHT and (x + 1, y) in self.lefts:
                return {self.lefts[x + 1, y]}
            if glyph == "▼" and going == DOWN and turns == "┌┐" and (x, y) in self.ports_in:
                self.used_ports.add((x, y))
                return self._follow(key, x, y + 1)
            if (going, glyph) in ((UP, "┌"), (DOWN, "└")):
                going, turns = RIGHT, turns + glyph
            elif (going, glyph) == (RIGHT, "┐"):
                going, turns = DOWN, turns + glyph
            elif glyph not in "│─" or (glyph == "─" and going != RIGHT and not self.turned):
                return set()
            x, y = x + STEP[going][0], y + STEP[going][1]
