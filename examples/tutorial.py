"""The field's standard tutorial, from top to bottom, and then the part it leaves out.

    python examples/tutorial.py            MNIST, about a quarter of an hour on two cores
    python examples/tutorial.py digits     scikit-learn's digits, about a minute

It trains a small network, fools it with FGSM, adds the FGSM images to the training set, trains again, and
finds the new network safe. Then it asks an attacker who takes more than one step.
"""

import sys

import hauberk
from hauberk.attacks import FGSM, PGD
from hauberk.defenses import AdversarialTraining, FGSMAugmentation
from hauberk.models.training import TrainingPlan

name = sys.argv[1] if len(sys.argv) > 1 else "mnist"
threat = hauberk.Linf(0.3 if name == "mnist" else 0.165)

train_set = hauberk.datasets.load(name, split="train")
test_set = hauberk.datasets.load(name, split="test").head(300)
images, labels = test_set.images, test_set.labels

# 1. Train the tutorial's network: conv 3x3 (32), pool, conv 3x3 (64), pool, dense 64, dense 10; Adam.
plan = TrainingPlan(epochs=5 if name == "mnist" else 15, batch_size=64)
undefended = hauberk.train(hauberk.create("cnn", train_set), train_set, plan)

# 2. Fool it in one step.
attacked = FGSM()(undefended, images, labels, threat)
print("1. the network, under FGSM:                  ", attacked)

# 3. The tutorial's defence: learn from those images too.
retrained = FGSMAugmentation(plan=plan).fit(undefended, train_set, threat)
old = hauberk.attacks.FGSM()(undefended, images, labels, threat).candidates
right = float((retrained(old).argmax(1) == labels).float().mean())
print(f"2. the retrained network, on those images:     {right:.1%} right. It looks cured.")

# 4. What the tutorial leaves out: attack the retrained network itself, with one step and then with many.
print("3. the retrained network, under its own FGSM:", FGSM()(retrained, images, labels, threat))
print("4. the retrained network, under PGD:         ", PGD(steps=40)(retrained, images, labels, threat))

# 5. Learn from the worst point around each image, found anew at every step.
epochs = 10 if name == "mnist" else 30
robust_plan = TrainingPlan(epochs=epochs, schedule="one-cycle", learning_rate=4e-3, averaging=0.99)
hardened = AdversarialTraining(plan=robust_plan).fit(undefended, train_set, threat)
print("5. adversarially trained, under PGD:         ", PGD(steps=40)(hardened, images, labels, threat))

# 6. The honest figure: several attacks with several losses, each candidate judged by code that made none.
for model, words in ((undefended, "undefended"), (retrained, "retrained on FGSM"), (hardened, "hardened")):
    print(f"   {words:18}", hauberk.evaluate(model, images, labels, threat))
