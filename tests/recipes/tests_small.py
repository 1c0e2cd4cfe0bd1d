"""A recipe that runs in seconds."""

SMALL = """
title = "small"
seed = 3
out = "runs/small"

[data]
name = "digits"
train_samples = 400
test_samples = 100

[threat]
norm = "linf"
eps = 0.15

[[model]]
name = "undefended"
train = { arch = "cnn", epochs = 4, batch_size = 64, learning_rate = 5e-3 }

[[model]]
name = "hardened"
from = "undefended"
harden = { method = "pgd", epochs = 5, steps = 2, batch_size = 64, learning_rate = 5e-3, held_out = 50 }

[evaluation]
alone = [{ attack = "fgsm" }]
curve = [0.1, 0.2]
curve_samples = 40

[report]
lang = ["en", "zh"]
"""
