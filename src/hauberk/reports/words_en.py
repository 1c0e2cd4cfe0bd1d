"""The report's sentences in English; ``words_zh`` has the same keys with the same places."""

from __future__ import annotations

ENGLISH: dict[str, str] = {
    "title": "Robustness report",
    "subtitle": "Newest evidence: {created} · documents: {count}",
    "none": "–",
    # first screen
    "verdict.heading": "Verdict",
    "verdict.broken": "Under {threat}, the attacks tried turn nearly every right answer: accuracy falls "
    "from {clean} to {robust}.",
    "verdict.weak": "Under {threat}, the attacks tried turn most right answers: accuracy falls from {clean} "
    "to {robust}.",
    "verdict.partly": "Under {threat}, most right answers withstand the attacks tried: accuracy falls from "
    "{clean} to {robust}.",
    "verdict.holds": "Under {threat}, the attacks tried turn few right answers: accuracy goes from {clean} "
    "to {robust}.",
    "verdict.useless": "No sample is answered right even without an attack, so this says nothing about "
    "robustness.",
    "verdict.single": "Under {threat}, {attack} alone takes accuracy from {clean} to {robust}. One attack "
    "is not a worst case: run an evaluation.",
    "verdict.worst": "worst case",
    "verdict.under": "under {attack} alone",
    "verdict.interval": "95 % interval {interval} · samples: {samples}",
    "verdict.flags": "Warnings about these figures: {count}",
    # threats
    "threat": "{norm} radius {eps}",
    "threat.full": "{norm} radius {eps}, {goal}, {knowledge}, {queries}",
    "threat.targeted": "targeted",
    "threat.untargeted": "untargeted",
    "threat.white-box": "white box",
    "threat.scores": "scores only",
    "threat.labels": "labels only",
    "threat.unlimited": "no query limit",
    "threat.queries": "at most {count} queries per sample",
    # table of models
    "models.heading": "The models side by side",
    "models.lead": "Worst case: right, and broken by none of the attacks. The other columns show each "
    "attack alone, where that was measured.",
    "models.model": "Model",
    "models.threat": "Threat",
    "models.clean": "Clean",
    "models.alone": "{attack}",
    "models.worst": "Worst case",
    "models.samples": "Samples",
    "models.bar": "{robust}, 95 % interval {interval}",
    # gallery
    "gallery.heading": "What an attack looks like",
    "gallery.lead": "Each column is one sample. The perturbation is enlarged so that it can be seen; in "
    "single-channel images blue means darker and red means brighter.",
    "gallery.original": "original",
    "gallery.perturbation": "perturbation × {factor}",
    "gallery.adversarial": "attacked",
    "gallery.clean": "reads {prediction}",
    "gallery.fooled": "reads {prediction}",
    "gallery.held": "still {prediction}",
    "gallery.truth": "is {label}",
    "gallery.by": "{attack}",
    "gallery.distance": "distance {distance}",
    "gallery.alt_original": "sample {index}, class {label}, unchanged",
    "gallery.alt_perturbation": "what was added to sample {index}",
    "gallery.alt_adversarial": "sample {index} after the attack, read as {prediction}",
    # curves
    "curve.heading": "Accuracy against radius",
    "curve.lead": "How accuracy falls as the attacker may change more. Shaded: 95 % interval. Dotted: the "
    "radius of the evaluation above. Attack: {attacks}. One attack bounds the true curve from above only.",
    "curve.title": "Accuracy against {norm} radius",
    "curve.x": "radius ε ({norm})",
    "curve.y": "accuracy",
    "curve.mark": "ε = {eps}",
    # why FGSM misleads
    "fgsm.heading": "Why FGSM alone misleads",
    "fgsm.figures": "{name}: {alone} under {attack} alone, but {robust} in the worst case.",
    "fgsm.why": "FGSM takes one step along the loss's slope. A network trained against that one step learns "
    "to bend the slope exactly there (gradient masking; label leaking and catastrophic overfitting are its "
    "relatives): the step misses, though wrong answers lie as close as before. The next attack, which takes "
    "several smaller steps, walks around the bend.",
    "fgsm.do": "So measure with iterated attacks, with random restarts and with more than one loss, and "
    "train with an inner loop of several steps rather than with one.",
    # attacks
    "attacks.heading": "The attacks, one by one",
    "attacks.lead": "In the order in which they ran. “Attacked” counts the samples an attack saw: those "
    "that were right and, unless each attack ran alone, that no earlier attack had broken.",
    "attacks.attack": "Attack",
    "attacks.recipe": "Recipe",
    "attacks.attacked": "Attacked",
    "attacks.broke": "Broke",
    "attacks.alone": "Alone",
    "attacks.after": "Left after it",
    "attacks.queries": "Mean queries",
    "attacks.seconds": "Seconds",
    "attacks.invalid": "{attack}: candidates outside the threat, not counted as broken: {count}.",
    "attacks.caption": "{name} · {threat}",
    # single attacks
    "singles.heading": "Attacks run on their own",
    "singles.lead": "One attack each, outside an evaluation. The accuracy bounds the worst case from above "
    "only.",
    "singles.accuracy": "Accuracy",
    "singles.distance": "Median distance",
    # training
    "training.heading": "How the models were trained",
    "training.caption": "{name} · {kind}",
    "training.caption_method": "{name} · {kind} · {method}",
    "training.loss": "loss",
    "training.accuracy": "accuracy",
    "training.train": "training",
    "training.held_out": "held out",
    "training.robust": "held out, attacked",
    "training.epoch": "epoch",
    "training.best": "kept",
    "training.facts": "Epochs: {epochs}",
    "training.parameters": "Parameters: {count}",
    "training.loss_title": "{caption}: loss by epoch",
    "training.accuracy_title": "{caption}: accuracy by epoch",
    # imports
    "imports.heading": "Imported networks",
    "imports.lead": "How far the converted network's outputs are from the original's.",
    "imports.format": "Format",
    "imports.difference": "Largest difference",
    "imports.probes": "Inputs tried",
    "imports.conversions": "Converted",
    # flags
    "flags.heading": "Why these figures may mislead",
    "flag.HB101": "Vanishing gradients",
    "flag.HB102": "One step beats many",
    "flag.HB103": "Few samples",
    "flags.none": "None of the checks in the evaluation raised a warning.",
    # limits
    "limits.heading": "What these figures do not show",
    "limits.threat": "Only the stated threat was looked at ({threats}). Another norm, a larger radius, "
    "rotated images or a patch stuck on the object are other questions.",
    "limits.empirical": "The figures are empirical, not certified: an attack that fails proves nothing, and "
    "a stronger or adaptive one may bring the worst case down. Read it as an upper bound.",
    "limits.samples": "The intervals cover which samples happened to be drawn. They do not cover data "
    "unlike these samples, nor attacks that were not tried.",
    "limits.origin": "A digest shows that a document was not changed by accident. Who made it, only a "
    "signature or a ledger shows.",
    # appendix
    "chain.heading": "Appendix: the chain of evidence",
    "chain.lead": "Each document names the ones it builds on. Point at a digest to see it whole.",
    "chain.kind": "Kind",
    "chain.subject": "Model",
    "chain.digest": "Digest",
    "chain.parents": "Builds on",
    "chain.seed": "Seed",
    "chain.versions": "Software",
    "chain.duration": "Seconds",
    "chain.created": "Created",
    "chain.superseded": "superseded by a later one",
    "chain.missing": "not among these documents",
    "kind.training": "training",
    "kind.hardening": "hardening",
    "kind.import": "import",
    "kind.evaluation": "evaluation",
    "kind.attack": "attack",
    "kind.curve": "curve",
    # glossary
    "glossary.heading": "Terms",
    "glossary.clean": "Clean accuracy",
    "glossary.clean.text": "Share of samples answered right when nobody attacks.",
    "glossary.adversarial": "Adversarial example",
    "glossary.adversarial.text": "An input changed a little, within the threat, so that the answer becomes "
    "wrong.",
    "glossary.threat": "Threat model",
    "glossary.threat.text": "What the attacker may do: how far he may change an input, what he sees, how "
    "often he may ask.",
    "glossary.radius": "Radius ε",
    "glossary.radius.text": "The largest change allowed, in the input's own scale. L∞ bounds each value, L2 "
    "the Euclidean length, L1 the sum of changes, L0 how many values change.",
    "glossary.worst": "Worst case",
    "glossary.worst.text": "Right, and broken by none of the attacks tried; also called robust accuracy.",
    "glossary.interval": "95 % interval",
    "glossary.interval.text": "Wilson's interval: where the accuracy on endless such samples may lie, given "
    "this many.",
    "glossary.training": "Adversarial training",
    "glossary.training.text": "Training on inputs that an attack has just found against the network as it "
    "stands.",
    "glossary.masking": "Gradient masking",
    "glossary.masking.text": "A network whose slope misleads attacks, without wrong answers being farther "
    "away.",
    "glossary.fgsm": "FGSM",
    "glossary.fgsm.text": "Fast gradient sign method: one step of the full radius along the sign of the "
    "gradient.",
    "glossary.bim": "BIM",
    "glossary.bim.text": "Basic iterative method: FGSM in several small steps.",
    "glossary.pgd": "PGD",
    "glossary.pgd.text": "Projected gradient descent: many small steps from a random start, pulled back "
    "into the threat after each.",
    "glossary.apgd": "APGD",
    "glossary.apgd.text": "PGD that chooses its own step size; the core of AutoAttack.",
    "glossary.square": "Square attack",
    "glossary.square.text": "Changes random squares and keeps what helps; needs scores, no gradients.",
    # end
    "command.heading": "Repeat this",
    "command.lead": "This command made the run. Figures repeat from the seeds in the evidence; times do not.",
    "footer": "Made by Hauberk from evidence documents alone. This page loads nothing and runs no script.",
}
