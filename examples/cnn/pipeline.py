"""Draw shapes, train a small convolutional network on them, and measure it."""

from mainspring import checkpoint, pipeline
from steps import draw, evaluate, train


@pipeline
def shapes(count: int = 1600, epochs: int = 10, rate: float = 0.005):
    data = draw(count)
    network = train(data, epochs=epochs, rate=rate)
    scores = evaluate(network, data)
    checkpoint("accuracy", scores["accuracy"] >= 0.9)
    return {"network": network, "scores": scores}
