"""The answer to a query as a Parquet file: equal rows give equal bytes.

Rows come in a fixed order: by all columns, unless the query has an order of its own. What the
database gives is brought to one form (times with zones to UTC, JSON to text with sorted keys), and
the types of columns are those of all their values, whatever parts the answer came in.
"""

from __future__ import annotations

import datetime
import decimal
import importlib
import json
import os
import re
import uuid
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, cast

from mainspring.records.errors import MainspringError

BATCH = 50_000  # rows of the answer that are in memory, and of a row group
_DRIVERS = {"postgresql": "postgresql+psycopg", "postgres": "postgresql+psycopg"}
_UNORDERED = "a column that has no order (json, xml) needs a cast, or the query an ORDER BY"
_SKIPPED = re.compile(
    r"'(?:[^']|'')*'|\"(?:[^\"]|\"\")*\"|--[^\n]*|/\*.*?\*/|\$(\w*)\$.*?\$\1\$", re.DOTALL
)
_ORDER = re.compile(r"\border\s+by\b", re.IGNORECASE)


def snapshot(
    source: str, query: str, target: Path, variables: Mapping[str, str] = os.environ
) -> tuple[int, str]:
    """Write the answer to `target`; return its number of rows, and where it came from.

    `source` is a URL of SQLAlchemy's, or the name of a variable that holds one; no password is
    returned or said. Raises MainspringError.
    """
    sqlalchemy = _sqlalchemy()
    url = _url(source, variables)
    # Options may hold a password too.
    where = url.set(query={}).render_as_string(hide_password=True)
    engine = sqlalchemy.create_engine(url)
    try:
        with engine.connect() as connection:
            _read_only(connection)
            rows = _store(connection, query, target)
    except sqlalchemy.exc.SQLAlchemyError as error:
        said = str(getattr(error, "orig", None) or error).strip().splitlines()[0]
        for secret in (url.password, url.query.get("password")):
            said = said.replace(str(secret), "***") if secret else said
        raise MainspringError(
            f"the query failed: {said}",
            where=where,
            hint=_UNORDERED if "ordering operator" in said else None,
        ) from None
    finally:
        engine.dispose()
    return rows, where


def _store(connection: Any, query: str, target: Path) -> int:
    text = _ordered(connection, query)
    if connection.dialect.name == "postgresql":
        # What is wrong with the query shows before a cursor is opened for it.
        connection.execute(_text(f"EXPLAIN {text}"))
    options = {"stream_results": True, "max_row_buffer": BATCH}
    answer = connection.execution_options(**options).execute(_text(text))
    try:
        return write_parquet(list(answer.keys()), _batches(answer), target)
    finally:
        answer.close()


def _text(sql: str) -> Any:
    """A statement without parameters, whatever colons are in it."""
    return _sqlalchemy().text(sql.replace(":", "\\:"))


def _sqlalchemy() -> Any:
    try:
        return importlib.import_module("sqlalchemy")
    except ModuleNotFoundError:
        raise MainspringError(
            "queries need SQLAlchemy", hint='pip install "mainspring[sql]"'
        ) from None


def _pyarrow() -> tuple[Any, Any]:
    try:
        return importlib.import_module("pyarrow"), importlib.import_module("pyarrow.parquet")
    except ModuleNotFoundError:
        raise MainspringError(
            "queries are stored as Parquet, which needs pyarrow",
            hint='pip install "mainspring[sql]"',
        ) from None


def _url(source: str, variables: Mapping[str, str]) -> Any:
    sqlalchemy = _sqlalchemy()
    text = source if "://" in source else variables.get(source)
    if text is None:
        raise MainspringError(
            f"{source!r} is neither a URL nor a variable of the environment",
            hint="for example --from postgresql://host/database, or --from DATABASE_URL",
        )
    try:
        url = sqlalchemy.engine.make_url(text)
    except (
        sqlalchemy.exc.ArgumentError,
        ValueError,
    ):  # its message has the URL in it, and so the password
        raise MainspringError(
            "what --from names is not a database's URL", hint="postgresql://user@host/database"
        ) from None
    return url.set(drivername=_DRIVERS.get(url.drivername, url.drivername))


def _read_only(connection: Any) -> None:
    if connection.dialect.name == "postgresql":
        connection.exec_driver_sql("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ READ ONLY")


def _ordered(connection: Any, query: str) -> str:
    """The query, with an order by all of its columns if it has none."""
    query = query.strip().rstrip(";").strip()
    if _has_order(query):
        return query
    probe = _text(f"SELECT * FROM (\n{query}\n) AS answer WHERE 1 = 0")  # noqa: S608
    count = len(connection.execute(probe).keys())
    columns = ", ".join(str(number) for number in range(1, count + 1))
    return f"SELECT * FROM (\n{query}\n) AS answer ORDER BY {columns}"  # noqa: S608


def _has_order(query: str) -> bool:
    """Whether the outermost SELECT says ORDER BY."""
    text = _SKIPPED.sub(" ", query)
    while (shorter := re.sub(r"\([^()]*\)", " ", text)) != text:
        text = shorter
    return _ORDER.search(text) is not None


def _batches(answer: Any) -> Iterator[list[tuple[Any, ...]]]:
    while rows := answer.fetchmany(BATCH):
        yield [tuple(row) for row in rows]


def write_parquet(
    names: Sequence[str], batches: Iterator[list[tuple[Any, ...]]], target: Path
) -> int:
    """Write rows as Parquet, with fixed settings; return how many. Raises MainspringError."""
    pa, pq = _pyarrow()
    if len(set(names)) != len(names):
        twice = next(name for name in names if list(names).count(name) > 1)
        raise MainspringError(f"the query has two columns {twice!r}", hint="name one of them: AS")
    parts: list[Path] = []
    schemas: list[Any] = []
    rows = 0
    for batch in batches:
        part = target.with_name(f"{target.name}.{len(parts)}")
        columns = [
            _array(name, [_plain(row[at]) for row in batch]) for at, name in enumerate(names)
        ]
        table = pa.table(columns, names=list(names))
        pq.write_table(table, part, compression="lz4")
        schemas.append(table.schema)
        parts.append(part)
        rows += len(batch)
    schema = _unified(schemas, names)
    with pq.ParquetWriter(target, schema, compression="zstd", version="2.6") as writer:
        for part in parts:
            writer.write_table(pq.read_table(part).cast(schema), row_group_size=BATCH)
            part.unlink()
    return rows


def _unified(schemas: list[Any], names: Sequence[str]) -> Any:
    pa, _ = _pyarrow()
    if not schemas:
        return pa.schema([(name, pa.null()) for name in names])
    schema = pa.unify_schemas(schemas, promote_options="permissive")
    for at, field in enumerate(schema):
        if pa.types.is_decimal(field.type):  # promotion adds digits that nobody needs
            schema = schema.set(at, field.with_type(pa.decimal128(38, field.type.scale)))
    return schema


def _array(name: str, values: list[Any]) -> Any:
    pa, _ = _pyarrow()
    try:
        if any(isinstance(value, decimal.Decimal) for value in values):
            return _decimals(values)
        return pa.array(values)
    except (pa.ArrowException, OverflowError, TypeError) as error:
        said = str(cast("object", error)).splitlines()[0]
        raise MainspringError(
            f"the values of column {name!r} have no one type: {said}",
            hint="cast it in the query",
        ) from error


def _decimals(values: list[Any]) -> Any:
    pa, _ = _pyarrow()
    known = [value for value in values if value is not None]
    if not all(value.is_finite() for value in known):
        return pa.array([None if value is None else str(value) for value in values])
    scale = max(max(0, -int(value.as_tuple().exponent)) for value in known)
    kind = pa.decimal128(38, scale) if scale <= 38 else pa.string()
    return pa.array(values if scale <= 38 else [v and str(v) for v in values], type=kind)


def _plain(value: Any) -> Any:
    """A value in the one form that it has whatever the session's settings are."""
    if isinstance(value, datetime.datetime) and value.tzinfo is not None:
        return value.astimezone(datetime.UTC)
    if isinstance(value, memoryview | bytearray):
        return bytes(cast("bytes", value))
    if isinstance(value, uuid.UUID):
        return str(value)
    if isinstance(value, dict):
        return json.dumps(value, sort_keys=True, ensure_ascii=False)
    return value
