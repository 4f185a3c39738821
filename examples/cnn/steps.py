"""The steps: everything random in them follows from the run's seed."""

import torch
from torch import nn
from torch.nn import functional

from mainspring import log, step

SIZE = 16
HELD_OUT = 0.25


@step
def draw(count: int) -> dict[str, torch.Tensor]:
    """Pictures of noisy squares, crosses and circles of random size and place, and which it is."""
    axis = torch.arange(SIZE, dtype=torch.float32)
    y, x = torch.meshgrid(axis, axis, indexing="ij")
    labels = torch.randint(0, 3, (count,))
    pictures = torch.empty(count, 1, SIZE, SIZE)
    for index, label in enumerate(labels.tolist()):
        radius = 3 + 2 * torch.rand(())
        across, down = 5 + 6 * torch.rand(2)
        far = torch.stack([(x - across).abs(), (y - down).abs()])
        inside = [
            far.amax(0) <= radius,
            (far.amin(0) <= 1) & (far.amax(0) <= radius),
            far.square().sum(0) <= radius**2,
        ]
        pictures[index, 0] = inside[label].float() + 0.3 * torch.randn(SIZE, SIZE)
    return {"pictures": pictures, "labels": labels}


def network() -> nn.Sequential:
    """Two convolutions and a linear layer."""
    return nn.Sequential(
        nn.Conv2d(1, 8, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2),
        nn.Conv2d(8, 16, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2),
        nn.Dropout(0.1), nn.Flatten(), nn.Linear(16 * (SIZE // 4) ** 2, 3),
    )  # fmt: skip


def device() -> torch.device:
    """The GPU that the step was given, or the processor."""
    return torch.device("cuda" if torch.cuda.is_available() else "cpu")


@step
def train(data: dict[str, torch.Tensor], epochs: int, rate: float) -> dict[str, torch.Tensor]:
    """Train; the weights are the result."""
    held = int(len(data["labels"]) * HELD_OUT)
    pictures, labels = data["pictures"][held:].to(device()), data["labels"][held:].to(device())
    model = network().to(device())
    optimiser = torch.optim.Adam(model.parameters(), lr=rate)
    for epoch in range(epochs):
        for part in torch.randperm(len(labels)).split(32):
            optimiser.zero_grad()
            loss = functional.cross_entropy(model(pictures[part]), labels[part])
            loss.backward()
            optimiser.step()
        log(loss=loss.item(), step=epoch)
    return {name: value.cpu() for name, value in model.state_dict().items()}


@step
def evaluate(weights: dict[str, torch.Tensor], data: dict[str, torch.Tensor]) -> dict[str, float]:
    """Accuracy and loss on the pictures that were held out."""
    held = int(len(data["labels"]) * HELD_OUT)
    model = network()
    model.load_state_dict(weights)
    model.eval()
    with torch.no_grad():
        found = model(data["pictures"][:held])
    labels = data["labels"][:held]
    return {
        "accuracy": (found.argmax(1) == labels).float().mean().item(),
        "loss": functional.cross_entropy(found, labels).item(),
    }
