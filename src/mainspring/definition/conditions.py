"""Surroundings taken apart and put together: `and`, `not`, and what may be a truth value."""

from __future__ import annotations

import ast
from typing import Any

from mainspring.definition import types
from mainspring.definition.assignability import assignable
from mainspring.records.expressions import Expression, from_tree


def may_be_bool(annotation: Any) -> bool:
    """Say whether a value so annotated may be a truth value."""
    return types.is_unknown(annotation) or assignable(annotation, bool)


def conjuncts(condition: Expression) -> list[Expression]:
    """Return the parts that `and` joins in a condition."""
    tree = condition.tree
    if isinstance(tree, ast.BoolOp) and isinstance(tree.op, ast.And):
        return [part for value in tree.values for part in conjuncts(from_tree(value))]
    return [condition]


def conjunction(conditions: list[Expression]) -> Expression:
    """Return the conditions joined by `and`."""
    if len(conditions) == 1:
        return conditions[0]
    return from_tree(ast.BoolOp(ast.And(), [one.tree for one in conditions]))


def negated(condition: Expression) -> Expression:
    """Return the opposite of a condition; that of `not x` is `x`."""
    tree = condition.tree
    if isinstance(tree, ast.UnaryOp) and isinstance(tree.op, ast.Not):
        return from_tree(tree.operand)
    return from_tree(ast.UnaryOp(ast.Not(), tree))
