"""The graph under construction: names, and one graph per thread."""

import threading

from tests.definition.conftest import nodes, traced


def test_names_in_loops_get_numbers_and_explicit_ones_stay(project):
    found = traced(
        project,
        "number.options(name='number_2')()\nfor x in (1, 2, 3):\n    number(x)\n"
        "number.options(name='größe-1')()",
    )
    assert list(found) == ["number_2", "number", "number_3", "number_4", "größe-1"]


def test_a_name_that_is_no_identifier_is_quoted_in_expressions(project):
    found = traced(project, "evaluate(number.options(name='my-number')())")
    assert found["evaluate"].bindings == {"c": "${{ steps['my-number'] }}"}


def test_two_threads_trace_apart(project):
    module = project(
        "\n@pipeline\ndef main():\n    number()\n\n@pipeline\ndef other():\n    flag()\n"
    )
    found = {}
    threads = [
        threading.Thread(target=lambda n=n: found.update({n: list(nodes(module, n))}))
        for n in ("main", "other")
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == {"main": ["number"], "other": ["flag"]}
