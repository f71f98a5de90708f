"""What the functions of services and core do, each with all that it calls: read, never run."""

import ast
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

from app.cli.checks.sources import Function, Source, Sources, calls, dotted, last_name

LOADERS = {"joinedload", "selectinload", "subqueryload", "contains_eager", "immediateload"}
MANY = 2  # commits in a loop


@dataclass(frozen=True)
class Code:
    """A function and the file that it is written in."""

    name: str  # save, or ProductService.create_product
    source: Source

    @property
    def node(self) -> Function:
        return self.source.functions[self.name]

    @property
    def key(self) -> str:
        return f"{self.source.module}.{self.name}"

    def __hash__(self) -> int:
        return hash(self.key)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Code) and other.key == self.key


class Functions:
    def __init__(self, sources: Sources) -> None:
        self.sources = sources
        self._commits: dict[str, int] = {}
        self._reached: dict[str, set[Code]] = {}
        self._raised: dict[str, dict[str, int]] = {}
        self._called: dict[str, list[Code]] = {}

    @cached_property
    def _modules(self) -> dict[str, Source]:
        folders = ("app/services", "app/core", "app/models")
        return {source.module: source for source in self.sources.below(*folders)}

    def find(self, source: Source, written: str, within: str = "") -> Code | None:
        """What a name that is called in a file stands for, if it is a function of ours."""
        head, _, rest = written.partition(".")
        if head in ("cls", "self") and within:
            written, head = f"{within}.{rest}", within
        if written in source.functions:
            return Code(written, source)
        target = source.imports.get(head)
        if target is None:
            return None
        full = f"{target}.{rest}" if rest else target
        for cut in (1, 2):  # module.function, module.Class.method
            parts = full.rsplit(".", cut)
            module = self._modules.get(parts[0])
            name = ".".join(parts[1:])
            if module and name in module.functions:
                return Code(name, module)
            if module and name in module.imports:
                return self.find(module, name)
        return None

    def called(self, code: Code) -> list[Code]:
        if code.key not in self._called:
            owner = code.name.rpartition(".")[0]
            found = (self.find(code.source, dotted(call.func), owner) for call in calls(code.node))
            self._called[code.key] = [each for each in found if each]
        return self._called[code.key]

    def reached(self, code: Code) -> set[Code]:
        """The function, and all that it calls."""
        if code.key not in self._reached:
            found, left = {code}, [code]
            while left:
                for each in self.called(left.pop()):
                    if each not in found:
                        found.add(each)
                        left.append(each)
            self._reached[code.key] = found
        return self._reached[code.key]

    def service_calls(self, source: Source, node: Function) -> list[Code]:
        """The functions of services that an endpoint calls."""
        found = (self.find(source, dotted(call.func)) for call in calls(node))
        return [each for each in found if each and each.source.name.startswith("app/services/")]

    # --- Errors

    def raised(self, code: Code) -> dict[str, tuple[Source, int]]:
        """The errors of `app.core.errors` that come out of it, by name, and where."""
        found: dict[str, tuple[Source, int]] = {}
        for each in sorted(self.reached(code), key=lambda each: each.key):
            if each.key not in self._raised:
                self._raised[each.key] = dict(_raised(each))
            for error, line in self._raised[each.key].items():
                found.setdefault(error, (each.source, line))
        return found

    # --- Commits

    def commits(self, code: Code) -> int:
        """How often it commits at most, on one way through it; `MANY` in a loop."""
        if code.key not in self._commits:
            self._commits[code.key] = 0  # what calls itself commits no more often by that
            self._commits[code.key] = _Way(self, code).most(code.node.body)
        return self._commits[code.key]

    def commits_of_call(self, code: Code, call: ast.Call) -> int:
        if last_name(call.func) == "commit" and isinstance(call.func, ast.Attribute):
            return 1
        found = self.find(code.source, dotted(call.func), code.name.rpartition(".")[0])
        return self.commits(found) if found else 0

    # --- Loading

    def loaded(self, code: Code) -> set[tuple[str, str]]:
        """The relationships that it names a loader for, as (class, attribute)."""
        found: set[tuple[str, str]] = set()
        seen: set[str] = set()
        for each in self.reached(code):
            if each.source.name.startswith("app/services/"):
                self._loaders(each.source, each.node, found, seen)
        return found

    def _loaders(
        self, source: Source, node: ast.AST, found: set[tuple[str, str]], seen: set[str]
    ) -> None:
        for each in ast.walk(node):
            if isinstance(each, ast.Call) and last_name(each.func) in LOADERS:
                for argument in each.args:
                    owner, _, name = dotted(argument).rpartition(".")
                    found.add((owner.rpartition(".")[2], name))
            if isinstance(each, ast.Name) and isinstance(each.ctx, ast.Load):
                self._loaders_of_name(source, each.id, found, seen)

    def _loaders_of_name(
        self, source: Source, name: str, found: set[tuple[str, str]], seen: set[str]
    ) -> None:
        key = f"{source.module}.{name}"
        if key in seen:
            return
        seen.add(key)
        if name in source.values:
            self._loaders(source, source.values[name], found, seen)
        elif target := source.imports.get(name):
            module, _, imported = target.rpartition(".")
            if module in self._modules:
                self._loaders_of_name(self._modules[module], imported, found, seen)


def _raised(code: Code) -> Iterator[tuple[str, int]]:
    """The errors of the house that stand in a function itself, and where."""
    for node in ast.walk(code.node):
        if isinstance(node, ast.Raise) and node.exc is not None:
            error = node.exc.func if isinstance(node.exc, ast.Call) else node.exc
            target = code.source.imports.get(dotted(error), "")
            if target.startswith("app.core.errors."):
                yield target.rpartition(".")[2], node.lineno


class _Way:
    """Counts the commits along the ways through a function. A way ends where it returns or
    raises."""

    def __init__(self, functions: Functions, code: Code) -> None:
        self.functions = functions
        self.code = code
        self.ended = 0  # the most on a way that has ended

    def most(self, body: list[ast.stmt]) -> int:
        going = self.block(body, 0)
        return max(self.ended, going or 0)

    def block(self, body: list[ast.stmt], count: int) -> int | None:
        """Commits up to its end; None when no way gets there."""
        going: int | None = count
        for statement in body:
            if going is None:
                break
            going = self.statement(statement, going)
        return going

    def statement(self, node: ast.stmt, count: int) -> int | None:
        if isinstance(node, Function | ast.ClassDef):
            return count  # defined, not run
        if isinstance(node, ast.If | ast.Match):
            return self.choice(node, count)
        if isinstance(node, ast.For | ast.While | ast.AsyncFor):
            return self.loop(node, count)
        if isinstance(node, ast.Try):
            body = self.block([*node.body, *node.orelse], count)
            ways = [body, *(self.block(handler.body, count) for handler in node.handlers)]
            going = max((each for each in ways if each is not None), default=None)
            return None if going is None else self.block(node.finalbody, going)
        if isinstance(node, ast.With | ast.AsyncWith):
            return self.block(node.body, count + self.inside(*(i.context_expr for i in node.items)))
        count += self.inside(node)
        if isinstance(node, ast.Return | ast.Raise | ast.Continue | ast.Break):
            if isinstance(node, ast.Return | ast.Raise):
                self.ended = max(self.ended, count)
            return None
        return count

    def choice(self, node: ast.If | ast.Match, count: int) -> int | None:
        if isinstance(node, ast.If):
            count += self.inside(node.test)
            ways = [self.block(node.body, count), self.block(node.orelse, count)]
        else:
            count += self.inside(node.subject)
            ways = [count, *(self.block(case.body, count) for case in node.cases)]
        return max((each for each in ways if each is not None), default=None)

    def loop(self, node: ast.For | ast.While | ast.AsyncFor, count: int) -> int:
        ended, before = self.ended, count
        going = self.block(node.body, count)
        again = going is not None and going > before
        if again:
            return before + MANY
        self.ended = max(self.ended, ended)
        return before

    def inside(self, *nodes: ast.AST) -> int:
        found = (call for node in nodes for call in calls(node))
        return sum(self.functions.commits_of_call(self.code, call) for call in found)
