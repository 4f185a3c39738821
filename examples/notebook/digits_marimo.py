import marimo

app = marimo.App()


@app.cell
def _():
    from dataclasses import dataclass

    import numpy as np
    from sklearn.datasets import load_digits
    from sklearn.linear_model import LogisticRegression

    from mainspring import pipeline, step

    return LogisticRegression, dataclass, load_digits, np, pipeline, step


@app.cell
def _(dataclass, np):
    @dataclass
    class Digits:
        x: np.ndarray
        y: np.ndarray

    return (Digits,)


@app.cell
def _(Digits, load_digits, step):
    @step
    def load() -> Digits:
        x, y = load_digits(return_X_y=True)
        return Digits(x=x / 16.0, y=y)

    return (load,)


@app.cell
def _(LogisticRegression, np, step):
    PART = 1200  # rows to learn from

    @step
    def train(x: np.ndarray, y: np.ndarray, c: float) -> LogisticRegression:
        return LogisticRegression(C=c, max_iter=500).fit(x[:PART], y[:PART])

    @step
    def accuracy(model: LogisticRegression, x: np.ndarray, y: np.ndarray) -> float:
        return float(model.score(x[PART:], y[PART:]))

    return accuracy, train


@app.cell
def _(accuracy, load, pipeline, train):
    @pipeline
    def digits(c: float = 1.0):
        data = load()
        return accuracy(train(data.x, data.y, c), data.x, data.y)

    digits
    return (digits,)


@app.cell
def _(digits):
    run = digits.run(c=0.1)
    result = run.result
    states = {path: str(task.status) for path, task in run.tasks.items()}
    run
    return result, states


if __name__ == "__main__":
    _, found = app.run()
    print(f"accuracy {found['result']:.3f}")
    print(*(f"{path} {state}" for path, state in found["states"].items()))
