"""AdvGAN ("AdvGen"): a generator is trained once and then attacks a batch in one forward pass.

attack = train_advgan(classifier, data, Linf(0.3), held_out=more, seed=0)
attack.generator.save("generator.safetensors")
result = attack(classifier, images, labels, ThreatModel(Linf(0.3), knowledge="labels"))
"""

from hauberk.attacks.advgan.attack import AdvGAN
from hauberk.attacks.advgan.trained import TrainedGenerator
from hauberk.attacks.advgan.training import AdvGANPlan, train_advgan

__all__ = ["AdvGAN", "AdvGANPlan", "TrainedGenerator", "train_advgan"]
