"""Which top-level statements do nothing but bind a name when their module is imported.

Only those can be left out of a fingerprint when nothing refers to the name. What can't be known
from the module's own text (is this decorator the one of `dataclasses`?) is written down as needs.
"""

from __future__ import annotations

import ast

from mainspring.planning.facts import Demand, Need
from mainspring.planning.scopes import Function, bindings, dotted

DECORATIONS = frozenset({"step", "pipeline"})
_ACCESSORS = frozenset({"setter", "getter", "deleter"})
_HOOKS = frozenset(
    {"__init_subclass__", "__class_getitem__", "__mro_entries__", "__set_name__", "__prepare__"}
)
_STARTS = frozenset(
    {"__init__", "__new__", "__eq__", "__hash__", "__setattr__", "_generate_next_value_"}
)


class Inertness:
    """Judges one statement; `needs` collects what has to hold elsewhere.

    `scalars` are the module's names known to denote plain numbers and texts; `lazy` says that
    annotations aren't evaluated (`from __future__ import annotations`).
    """

    def __init__(self, scalars: set[str], *, lazy: bool) -> None:
        self.needs: set[Need] = set()
        self._scalars = scalars
        self._lazy = lazy
        self._own: set[str] = set()

    def statement(self, node: ast.stmt) -> bool:
        """Whether the top-level statement is inert, should its needs be met."""
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            return self._function(node)
        if isinstance(node, ast.ClassDef):
            return self._class(node)
        if isinstance(node, ast.Assign):
            names = all(isinstance(target, ast.Name) for target in node.targets)
            return (names or _pairs(node)) and self.value(node.value)
        if isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name):
            plain = node.value is None or self.value(node.value)
            return plain and self._annotation(node.annotation)
        return type(node).__name__ == "TypeAlias"  # `type X = ...` (3.12) is evaluated on use

    # --- definitions ---------------------------------------------------------------------

    def _function(self, node: Function) -> bool:
        arguments = node.args
        every = [*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs]
        every += [argument for argument in (arguments.vararg, arguments.kwarg) if argument]
        annotations = [argument.annotation for argument in every] + [node.returns]
        return (
            all(self._decorator(each) for each in node.decorator_list)
            and self._defaults(arguments)
            and all(each is None or self._annotation(each) for each in annotations)
        )

    def _defaults(self, node: ast.arguments) -> bool:
        return all(self.value(each) for each in [*node.defaults, *node.kw_defaults] if each)

    def _decorator(self, node: ast.expr) -> bool:
        called = isinstance(node, ast.Call)
        chain = dotted(node.func if called else node)
        if chain is None:
            return False
        path = (chain[0].id, *chain[1])
        if path[0] in self._own and path[1:] and path[1] in _ACCESSORS and len(path) == 2:
            return True
        self.needs.add(Need(Demand.DECORATOR, path))
        return not called or self._arguments(node)

    def _arguments(self, node: ast.Call) -> bool:
        keywords = all(each.arg and self.value(each.value) for each in node.keywords)
        return keywords and all(self.value(each) for each in node.args)

    def _class(self, node: ast.ClassDef) -> bool:
        outer, self._own = self._own, set()
        result = (
            all(self._decorator(each) for each in node.decorator_list)
            and all(self._base(each) for each in node.bases)
            and all(self._class_keyword(each) for each in node.keywords)
            and all(self._member(each) for each in node.body)
        )
        self._own = outer
        return result

    def _base(self, node: ast.expr) -> bool:
        if isinstance(node, ast.Subscript):
            return self._base(node.value) and self._subscript(node)
        chain = dotted(node)
        if chain is not None:
            self.needs.add(Need(Demand.BASE, (chain[0].id, *chain[1])))
        return chain is not None

    def _class_keyword(self, node: ast.keyword) -> bool:
        if node.arg != "metaclass":
            return node.arg is not None and self._scalar(node.value)
        chain = dotted(node.value)
        if chain is not None:
            self.needs.add(Need(Demand.METACLASS, (chain[0].id, *chain[1])))
        return chain is not None

    def _member(self, node: ast.stmt) -> bool:
        if isinstance(node, ast.Pass) or is_constant(node):
            return True
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            inert = self._function(node)
            self._own.add(node.name)
            return inert
        if isinstance(node, ast.ClassDef):
            return self._class(node)
        if isinstance(node, ast.Assign):
            names = all(isinstance(target, ast.Name) for target in node.targets)
            return names and self._member_value(node.value)
        if isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name):
            plain = node.value is None or self._member_value(node.value)
            return plain and self._annotation(node.annotation)
        return False

    def _member_value(self, node: ast.expr) -> bool:
        """As `value`, less names: what they denote may want to know its owner (`__set_name__`)."""
        if isinstance(node, ast.Call):
            return self._call(node)
        if isinstance(node, ast.List | ast.Tuple | ast.Set):
            return all(self._scalar(each) for each in node.elts)
        if isinstance(node, ast.Dict):
            return all(each and self._scalar(each) for each in [*node.keys, *node.values])
        if isinstance(node, ast.Lambda):
            return self._defaults(node.args)
        return self._scalar(node)

    # --- expressions ---------------------------------------------------------------------

    def value(self, node: ast.expr) -> bool:
        """Whether evaluating the expression does nothing but make a value."""
        if isinstance(node, ast.Name) or self._scalar(node):
            return True
        if isinstance(node, ast.Attribute):
            return self._attribute(node)
        if isinstance(node, ast.Tuple | ast.List):
            return all(self.value(each) for each in node.elts)
        if isinstance(node, ast.Set):
            return all(self._scalar(each) for each in node.elts)
        if isinstance(node, ast.Dict):
            keys = all(each and self._scalar(each) for each in node.keys)
            return keys and all(self.value(each) for each in node.values)
        if isinstance(node, ast.Lambda):
            return self._defaults(node.args)
        if isinstance(node, ast.Subscript):
            return self._subscript(node)
        if isinstance(node, ast.BinOp) and isinstance(node.op, ast.BitOr):
            return self._union(node)
        return isinstance(node, ast.Call) and self._call(node)

    def _scalar(self, node: ast.expr) -> bool:
        """Whether the expression is made of numbers and texts alone: no method of ours runs."""
        if isinstance(node, ast.Constant):
            return True
        if isinstance(node, ast.Name):
            return node.id in self._scalars and node.id not in self._own
        if isinstance(node, ast.UnaryOp | ast.BinOp | ast.BoolOp | ast.Compare | ast.IfExp):
            parts = [each for each in ast.iter_child_nodes(node) if isinstance(each, ast.expr)]
            return all(self._scalar(each) for each in parts)
        if isinstance(node, ast.JoinedStr):
            return all(self._scalar(each) for each in node.values)
        if isinstance(node, ast.FormattedValue):
            spec = node.format_spec
            return self._scalar(node.value) and (spec is None or self._scalar(spec))
        return isinstance(node, ast.Tuple) and all(self._scalar(each) for each in node.elts)

    def _attribute(self, node: ast.Attribute) -> bool:
        chain = dotted(node)
        if chain is not None:
            self.needs.add(Need(Demand.ATTRIBUTE, (chain[0].id, *chain[1])))
        return chain is not None

    def _subscript(self, node: ast.Subscript) -> bool:
        chain = dotted(node.value)
        if chain is None:
            return False
        self.needs.add(Need(Demand.SUBSCRIPT, (chain[0].id, *chain[1])))
        return self._type_argument(node.slice)

    def _type_argument(self, node: ast.expr) -> bool:
        if isinstance(node, ast.Tuple | ast.List):
            return all(self._type_argument(each) for each in node.elts)
        return self._annotation(node, lazy=False)

    def _union(self, node: ast.BinOp) -> bool:
        for side in (node.left, node.right):
            chain = dotted(side)
            if chain is not None:
                self.needs.add(Need(Demand.UNION, (chain[0].id, *chain[1])))
            elif not self._annotation(side, lazy=False):
                return False
        return True

    def _annotation(self, node: ast.expr, *, lazy: bool | None = None) -> bool:
        if self._lazy if lazy is None else lazy:
            return True
        if isinstance(node, ast.Name | ast.Constant):
            return True
        if isinstance(node, ast.Attribute):
            return self._attribute(node)
        if isinstance(node, ast.Subscript):
            return self._subscript(node)
        return isinstance(node, ast.BinOp) and isinstance(node.op, ast.BitOr) and self._union(node)

    def _call(self, node: ast.Call) -> bool:
        """Calls known to have no effect: `dataclasses.field()`, `step(f)`, `step(cpus=2)(f)`."""
        target = node.func.func if isinstance(node.func, ast.Call) else node.func
        if isinstance(node.func, ast.Call) and not self._arguments(node.func):
            return False
        chain = dotted(target)
        if chain is None or not self._arguments(node):
            return False
        demand = Demand.OPTIONS if isinstance(node.func, ast.Call) else Demand.CALL
        self.needs.add(Need(demand, (chain[0].id, *chain[1])))
        return True


def is_hooked(node: ast.stmt) -> bool:
    """Whether a class acts on its subclasses or changes what subscripting it means."""
    if not isinstance(node, ast.ClassDef):
        return False
    return not _HOOKS.isdisjoint(bindings(node.body).names)


def is_starting(node: ast.stmt) -> bool:
    """Whether a class, or one inside it, has methods that an enumeration runs for its members."""
    return any(
        isinstance(each, ast.ClassDef) and not _STARTS.isdisjoint(bindings(each.body).names)
        for each in ast.walk(node)
    )


def scalar_names(body: list[ast.stmt], once: set[str], *, lazy: bool) -> set[str]:
    """The names of a module bound once (they are in `once`), to a number or a text."""
    names: set[str] = set()
    for node in body:
        if isinstance(node, ast.Assign) and len(node.targets) == 1:
            target, value = node.targets[0], node.value
        elif isinstance(node, ast.AnnAssign) and node.value is not None:
            target, value = node.target, node.value
        else:
            continue
        judge = Inertness(names, lazy=lazy)
        if isinstance(target, ast.Name) and target.id in once and judge._scalar(value):  # pyright: ignore[reportPrivateUsage]
            names.add(target.id)
    return names


def mainspring_decorators(node: ast.stmt) -> list[ast.expr]:
    """The decorators that may be Mainspring's own, and whose arguments have no effect."""
    if not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
        return []
    return [each for each in node.decorator_list if _is_decoration(each)]


def _is_decoration(node: ast.expr) -> bool:
    called = isinstance(node, ast.Call)
    chain = dotted(node.func if called else node)
    if chain is None or (chain[0].id, *chain[1])[-1] not in DECORATIONS:
        return False
    return not called or _only_options(node)


def _only_options(node: ast.Call) -> bool:
    """Whether the arguments are plain values, which the options of the step record."""
    judge = Inertness(set(), lazy=True)
    plain = all(each.arg and judge.value(each.value) for each in node.keywords)
    return plain and all(need.demand is Demand.ATTRIBUTE for need in judge.needs)


def decorated_value(node: ast.stmt) -> ast.expr | None:
    """The function in `train = step(f)` and `train = step(cpus=2)(f)`; None for anything else."""
    call = node.value if isinstance(node, ast.Assign) else None
    if not isinstance(call, ast.Call) or len(call.args) != 1 or not _only_options(call):
        return None
    target = call.func
    if isinstance(target, ast.Call):
        if target.args or not _only_options(target):
            return None
        target = target.func
    chain = dotted(target)
    if chain is None or (chain[0].id, *chain[1])[-1] not in DECORATIONS:
        return None
    return call.args[0]


def _pairs(node: ast.Assign) -> bool:
    """`a, b = 1, 2`: as many names as values."""
    target = node.targets[0]
    if len(node.targets) != 1 or not isinstance(target, ast.Tuple):
        return False
    values = node.value
    return (
        isinstance(values, ast.Tuple)
        and len(values.elts) == len(target.elts)
        and all(isinstance(each, ast.Name) for each in target.elts)
        and not any(isinstance(each, ast.Starred) for each in values.elts)
    )


def is_constant(node: ast.stmt) -> bool:
    """Whether the statement is a lone constant, such as a text below an attribute."""
    return isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)
