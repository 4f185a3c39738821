"""Programs as steps."""

from tests.definition.conftest import traced


def test_commands(project):
    found = traced(
        project,
        'fit = command("Rscript train.R --in {inputs.data} --out {outputs.model} $HOME",\n'
        '    outputs={"model": "model.rds"}, files=["train.R"], retries=2, name="fit")\n'
        "m = fit(data=load())\ntake_path(m)\ntake_path(m.model)\n"
        'command("awk \'{print $1}\' {inputs.x}", inputs={"x": float}).map([1.0, 2])',
    )
    node = found["fit"]
    assert node.command == "Rscript train.R --in {inputs.data} --out {outputs.model} $HOME"
    assert (node.inputs, node.outputs) == ({"data": "any"}, {"model": "model.rds"})
    assert (node.files, node.shell, node.options.retries) == (("train.R",), False, 2)
    assert found["take_path"].bindings == {"path": "${{ steps.fit.model }}"}
    assert found["take_path_2"].bindings == {"path": "${{ steps.fit.model }}"}
    assert found["awk"].map == ("x",)
    assert found["awk"].bindings == {"x": [1.0, 2]}
