"""A method that cannot learn."""

from __future__ import annotations

from typing import Any

from learnaug.methods import Learned, Learning


class Broken:
    def learn(self, data: Learning, **named: Any) -> Learned:
        raise TypeError("a fault")

    def config(self) -> dict[str, Any]:
        return {}
