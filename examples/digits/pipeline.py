"""Recognise handwritten digits: ingest, check the data, split, train, evaluate, check the model."""

from mainspring import checkpoint, pipeline
from steps import evaluate, ingest, inspect, package, split, train


@pipeline
def digits(c: float = 1.0, test_size: float = 0.25):
    raw = ingest()

    quality = inspect(raw.images, raw.labels)
    sound = checkpoint("data", (quality.missing == 0) & (quality.classes == 10), kind="data")

    data = split.options(after=sound)(raw.images, raw.labels, test_size=test_size)
    model = train(data.x_train, data.y_train, c=c)
    scores = evaluate(model, data.x_test, data.y_test)
    good = checkpoint("accuracy", scores.accuracy >= 0.95, kind="model")

    card = package.options(after=good)(model, scores)
    return {"model": model, "card": card}


if __name__ == "__main__":
    run = digits.run()
    print(run.status, run.outputs["card"])
