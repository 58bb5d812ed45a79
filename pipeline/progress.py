"""Progress bars of stages that take a while: what runs, how far it is, how long it still takes; only on a terminal."""
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Protocol, TypeVar

from tqdm import tqdm

Item = TypeVar("Item")


def shown(items: Iterable[Item], what: str) -> Iterable[Item]:
    """The items, with a bar."""
    return tqdm(items, desc=what, disable=None, leave=False, dynamic_ncols=True)


class Steps(Protocol):
    """Says which step begins."""

    def __call__(self, what: str) -> None:
        ...


@contextmanager
def steps(name: str, count: int) -> Iterator[Steps]:
    """A bar over `count` steps, each of which is announced as it begins."""
    with tqdm(desc=name, total=count, disable=None, leave=False, dynamic_ncols=True, unit="step") as bar:
        begun = 0

        def begin(what: str) -> None:
            nonlocal begun
            bar.update(min(begun, 1))
            begun += 1
            bar.set_postfix_str(what)

        yield begin
