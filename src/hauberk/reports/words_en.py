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
    "verdict.samples": "samples: {samples}",
    "verdict.interval_alone": "95 % interval {interval}",
    "verdict.under_certified": "certified accuracy",
    "verdict.certified": "Under {threat}, it was shown for {certified} of the samples that no attack whatever "
    "changes the right answer; {clean} are right without attack. The others may withstand too, or not.",
    "verdict.certified_confidence": " Each certificate holds with a probability of {confidence} or more.",
    "verdict.under_detection": "left when the attacker knows of the detector",
    "verdict.detection": "The detector refuses {refused} of clean images. Under {threat}, of the inputs "
    "that fool the network it refuses {oblivious}, and {adaptive} once the attacker knows of it: accepted "
    "and right are {clean} without attack, {unknowing} and {robust} under it.",
    "verdict.under_corruptions": "on average over common corruptions",
    "verdict.under_corruption": "under {name}",
    "verdict.corruptions": "Without any attacker, common corruptions take accuracy from {clean} to {mean} on "
    "average. Of all tried, the hardest is {name}: {hardest}.",
    "verdict.corruptions_some": "Without any attacker, {name} takes accuracy from {clean} to {hardest}, the "
    "lowest of the corruptions tried.",
    "verdict.spatial": " Turned and shifted for the worst, {worst} remain.",
    "verdict.under_trigger_success": "of stamped images obey the trigger",
    "verdict.under_source_as_target": "of the source class are read as the target",
    "verdict.under_accuracy": "accuracy after poisoning",
    "verdict.poisoning_trigger_success": "{poisoner} touched {rate} of the training data. Images of {source} "
    "that carry the trigger are now read as {target} in {after} of cases (before: {before}), while accuracy "
    "on clean images is {clean_after} (before: {clean_before}).",
    "verdict.poisoning_source_as_target": "{poisoner} touched {rate} of the training data. Images of {source} "
    "are now read as {target} in {after} of cases (before: {before}), while accuracy is {clean_after} "
    "(before: {clean_before}).",
    "verdict.poisoning_accuracy": "{poisoner} touched {rate} of the training data: accuracy goes from "
    "{before} to {after}.",
    "verdict.under_recall": "of the poisoned rows found",
    "verdict.under_cleansed": "accuracy after cleansing",
    "verdict.under_flagged": "rows flagged",
    "verdict.under_suspected": "classes suspected",
    "verdict.cleansing": "{method} worked with {samples} samples.",
    "verdict.cleansing_rows": " It flagged {flagged} of them.",
    "verdict.cleansing_truth": " It found {recall} of the poisoned ones; of those it flagged, {precision} were "
    "poisoned.",
    "verdict.cleansing_suspected": " It suspects a backdoor to {classes}.",
    "verdict.cleansing_none": " It suspects no class.",
    "verdict.cleansing_trigger_success": " The trigger's success goes from {before} to {after}.",
    "verdict.cleansing_accuracy": " Accuracy on clean images goes from {before} to {after}.",
    "verdict.under_fidelity": "agreement with the victim",
    "verdict.extraction": "With {queries} queries, a copy of {victim} was made that gives the same answer on "
    "{fidelity} of test images.",
    "verdict.transfer": " Of the adversarial samples made on the copy, {share} fool the victim.",
    "verdict.under_membership": "of the members found at 1 % false alarms",
    "verdict.membership": "The strongest attack, {attack}, recognises {found} of the training samples while "
    "it falsely accuses at most 1 % of the others; at 0.1 % it recognises {strict} (area under the curve "
    "{auc}). Guessing would find 1 % and 0.1 %.",
    "verdict.under_inversion": "of the pictures recognised by the judge",
    "verdict.inversion": "From the model alone, {attack} drew one picture for each class. A judge that is "
    "right on {judge} of real images recognises {recognised} of them; of noise, {noise}.",
    "class": "class {label}",
    "class.other": "other classes",
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
    "gallery.distance": "by {distance}",
    "gallery.alt_original": "sample {index}, class {label}, unchanged",
    "gallery.alt_perturbation": "what was added to sample {index}",
    "gallery.alt_adversarial": "sample {index} after the attack, read as {prediction}",
    # sweeps
    "sweep.heading": "Robustness when the model changes",
    "sweep.lead": "What pruning, fewer bits or another length of training does to accuracy, clean and under "
    "attack. Each point is a model of its own, attacked anew. Shaded: 95 % interval. Attack: {attacks}. One "
    "attack bounds the true robustness from above only.",
    "sweep.facts": "{samples} test images; attacker: {threat}.",
    "sweep.clean": "clean",
    "sweep.robust": "under attack, {at}",
    "sweep.own": "on its training data",
    "sweep.x_pruning": "share of weights set to zero",
    "sweep.x_quantisation": "bits per weight",
    "sweep.x_epochs": "epochs of training",
    "sweep.x_samples": "training images",
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
    # accuracy against queries
    "queries.heading": "Accuracy against queries",
    "queries.lead": "The share still right once so many forward passes were spent on each sample, as counted "
    "by the verdicts. A model is left out where they cannot tell, because several attacks saw every sample.",
    "queries.title": "Accuracy against queries spent",
    "queries.title_singles": "Accuracy against queries spent by one attack",
    "queries.x": "queries spent on a sample (logarithmic)",
    # certificates
    "certificates.heading": "What no attack can do",
    "certificates.lead": "Samples for which it was shown, not tried, that every input within the radius gets "
    "the right answer. Certified accuracy is a lower bound, accuracy under attack an upper one.",
    "certificates.threat": "Threat",
    "certificates.method": "Method",
    "certificates.clean": "Clean",
    "certificates.certified": "Certified",
    "certificates.by": "Shown by",
    "certificates.proved": "proof",
    "certificates.confidence": "each with confidence {confidence}",
    "certificates.curve": "{name}: certified accuracy by radius",
    "certificates.radius": "Radius",
    # detection
    "detection.heading": "Detectors of adversarial inputs",
    "detection.lead": "What the detector refuses, from an attacker who does not know of it and from one who "
    "does. Only the second says what it is worth. A refused clean image is lost; a refused adversarial one "
    "is not.",
    "detection.facts": "Behind {detectors} · samples: {samples} · clean images refused: {refused} ("
    "{interval}) · accepted and right: {clean} · the network alone: {network}",
    "detection.title": "{name}: adversarial inputs found against clean ones refused",
    "detection.x": "clean images refused",
    "detection.y": "adversarial inputs refused",
    "detection.attacker": "The attacker",
    "detection.oblivious": "does not know of it",
    "detection.adaptive": "knows of it",
    "detection.fooled": "Fool the network",
    "detection.detected": "Of these refused",
    "detection.refused": "Refused",
    "detection.evaded": "Accepted and wrong",
    "detection.found": "Found at 5 % refused",
    "detection.robust": "Accepted and right",
    # corruptions
    "corruptions.heading": "Accidents: noise, blur, weather, compression",
    "corruptions.lead": "Accuracy at each severity; point at a cell for its 95 % interval. The stronger the "
    "tint, the lower the accuracy. Corruptions are drawn at random, so this is an average and no worst case.",
    "corruptions.corruption": "Corruption",
    "corruptions.mean": "Mean",
    "corruptions.none": "none",
    "corruptions.mean_of": "Mean over the common corruptions: {mean} (clean: {clean}).",
    "corruptions.mce": "Errors relative to the reference model's (mCE): {mce}; without the clean errors "
    "(relative mCE): {relative}.",
    "corruptions.spatial": "The worst of {placements} placements, rotated up to {degrees}° and shifted up to "
    "{reach} of the side: {worst} ({interval}). Rotation alone {rotation}, shift alone {shift}.",
    "corruptions.alt": "{name}, severity {severity}, read as {prediction}",
    "corruption.gaussian_noise": "Gaussian noise",
    "corruption.shot_noise": "shot noise",
    "corruption.impulse_noise": "impulse noise",
    "corruption.salt_and_pepper": "salt and pepper",
    "corruption.defocus_blur": "defocus blur",
    "corruption.glass_blur": "glass blur",
    "corruption.motion_blur": "motion blur",
    "corruption.zoom_blur": "zoom blur",
    "corruption.snow": "snow",
    "corruption.frost": "frost",
    "corruption.fog": "fog",
    "corruption.brightness": "brightness",
    "corruption.contrast": "contrast",
    "corruption.elastic_transform": "elastic transform",
    "corruption.pixelate": "pixelation",
    "corruption.jpeg_compression": "JPEG compression",
    "corruption.rotation": "rotation",
    "corruption.shift": "shift",
    # poisoning
    "poisoning.heading": "Poisoned training data",
    "poisoning.lead": "The same network learnt once from clean and once from poisoned data; both were asked "
    "about the same test images.",
    "poisoning.facts": "Touched: {touched} of {samples} ({rate}) · images changed: {images} · labels changed: "
    "{labels}",
    "poisoning.target": "target class: {target}",
    "poisoning.source": "source class: {source}",
    "poisoning.asked": "On test images",
    "poisoning.before": "Clean data",
    "poisoning.after": "Poisoned data",
    "poisoning.accuracy": "Right",
    "poisoning.trigger_success": "Stamped with the trigger: read as the target",
    "poisoning.trigger_elsewhere": "Stamped, of other classes than the source: read as the target",
    "poisoning.source_as_target": "Of the source class, without trigger: read as the target",
    "poisoning.poisoned": "poisoned",
    "poisoning.label": "label {label}",
    "poisoning.alt": "sample {index} as the poisoner left it, label {label}",
    # cleansing
    "cleansing.heading": "Looking for poison, and mending",
    "cleansing.lead": "What a defence flagged is compared with what was really poisoned, where that is known; "
    "the model before and after was asked about the same test images.",
    "cleansing.samples": "Samples it worked with: {samples}",
    "cleansing.flagged": "flagged: {flagged}",
    "cleansing.touched": "poisoned: {touched}",
    "cleansing.precision": "Of the flagged rows: poisoned (precision)",
    "cleansing.recall": "Of the poisoned rows: flagged (recall)",
    "cleansing.false_alarms": "Of the honest rows: flagged",
    "cleansing.rows": "Rows",
    "cleansing.share": "Share",
    "cleansing.asked": "On test images",
    "cleansing.before": "Before",
    "cleansing.after": "After",
    "cleansing.class": "Class",
    "cleansing.norm": "Pixels of the stamp",
    "cleansing.anomaly": "Anomaly",
    "cleansing.success": "Stamped test images read as it",
    "cleansing.success_after": "After mending",
    "cleansing.suspected": "suspected",
    "cleansing.mask": "mask",
    "cleansing.paint": "what it paints",
    "cleansing.stamped": "on a test image",
    "cleansing.stamped_both": "on a test image: read before → after",
    "cleansing.true": "true trigger",
    "cleansing.found": "to {label}",
    "cleansing.reads": "reads {before}",
    "cleansing.turns": "{before} → {after}",
    "cleansing.alt_mask": "mask of the stamp for class {label}",
    "cleansing.alt_paint": "what the stamp for class {label} paints",
    "cleansing.alt_stamped": "a test image of class {label} under the stamp",
    "cleansing.alt_row": "training row {index}, label {label}",
    "cleansing.right": "poisoned",
    "cleansing.wrong": "honest",
    "cleansing.missed": "missed",
    "cleansing.unknown": "flagged",
    # extraction
    "extraction.heading": "Stolen copies",
    "extraction.lead": "How often a copy that was learnt from a model's answers agrees with it on images the "
    "thief has not seen. Shaded: 95 % interval. A more patient thief may do better: read it as a lower bound.",
    "extraction.title": "Agreement with {victim} against queries",
    "extraction.x": "queries (logarithmic)",
    "extraction.y": "agreement",
    "extraction.copy": "Copy",
    "extraction.victim": "Victim",
    "extraction.queries": "Queries",
    "extraction.victim_accuracy": "Victim right",
    "extraction.accuracy": "Copy right",
    "extraction.fidelity": "They agree",
    "extraction.transfer": "Fooled by carried-over samples",
    "extraction.harm": "{name}: {attack} on the copy ({threat}) fooled the victim on {fooled} of {attacked} "
    "images; noise of the same size on {noise}.",
    # membership
    "membership.heading": "Who was in the training data",
    "membership.lead": "How many members an attack finds against how many others it falsely accuses, both "
    "axes logarithmic from the smallest rate that this many others can show. Dashed: guessing. What counts is "
    "the left: a few people named without error are a breach, even where the area is near one half.",
    "membership.facts": "Members: {members} · others: {others} · accuracy on members: {inside} · on others: "
    "{outside} · shadow models: {shadows}",
    "membership.title": "{name}: members found against false alarms",
    "membership.x": "false alarms among the others",
    "membership.y": "members found",
    "membership.auc": "Area under the curve",
    "membership.strict": "Found at 0.1 % false alarms",
    "membership.loose": "Found at 1 % false alarms",
    "membership.balanced": "Best balanced accuracy",
    "membership.blind": "without the model",
    "membership.blind_recipe": "a baseline that never asks the model; above one half, the groups differ in "
    "kind",
    # inversion
    "inversion.heading": "Pictures drawn out of a model",
    "inversion.lead": "One picture for each class, below the mean training image of the class. The judge is "
    "another classifier. Only a likeness to training images well above that to fresh images speaks of a "
    "person.",
    "inversion.facts": "Classes: {classes} · the judge is right on {judge} of the training images",
    "inversion.mean": "mean",
    "inversion.picture": "drawn out",
    "inversion.alt_mean": "mean training image of class {label}",
    "inversion.alt": "what the attack drew of class {label}, read by the judge as {prediction}",
    "inversion.recognised": "Judge recognises",
    "inversion.matched": "Most like its own mean",
    "inversion.own": "Correlation, own mean",
    "inversion.other": "Best other mean",
    "inversion.member": "Nearest training image",
    "inversion.fresh": "Nearest fresh image",
    "inversion.noise": "noise",
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
    "flag.HB104": "Randomised outputs",
    "flag.HB105": "Softmax in the way",
    "flag.HB106": "A black box beats the white box",
    "flag.HB107": "The radius has no effect",
    "flag.HB108": "Not all fall when everything is allowed",
    "flag.HB109": "Transfer beats the white box",
    "flag.HB110": "The training said more",
    "flag.HB111": "Restarts still gain",
    "flag.HB112": "Says that it hides gradients",
    "flag.HB113": "Says that it answers at random",
    "flag.HB301": "Too few to see low rates",
    "flag.HB302": "Told apart without the model",
    "flag.HB303": "Not split at random",
    "flag.HB304": "Shadow models learn otherwise",
    "flag.HB305": "The judge errs often",
    "flags.tried": "Added in answer: {attacks}.",
    "flags.none": "None of the checks in the evaluation raised a warning.",
    # limits
    "limits.heading": "What these figures do not show",
    "limits.threat": "Only the stated threat was looked at ({threats}). Another norm, a larger radius, "
    "rotated images or a patch stuck on the object are other questions.",
    "limits.empirical": "The figures are empirical, not certified: an attack that fails proves nothing, and "
    "a stronger or adaptive one may bring the worst case down. Read it as an upper bound.",
    "limits.certificates": "A certificate is about one norm and radius around one image, and about the network "
    "as it was read. A sample without certificate may be robust all the same.",
    "limits.detections": "A detector was measured against the attacks listed. One that nobody has evaded "
    "yet is no proof: its figure for the attacker who knows of it is an upper bound.",
    "limits.corruptions": "Accuracy under corruptions is an average over accidents: no worst case, and no "
    "promise about an accident that is not in the table.",
    "limits.poisonings": "Poisoning was measured on one network with one seed. Another training may suffer "
    "more or less, and small differences of accuracy may be the seed's.",
    "limits.cleansings": "What was found and mended was measured on this poison at this rate. Another "
    "attacker, above all one who knows the defence, may stay unseen; that nothing was found does not show that "
    "nothing is there.",
    "limits.extractions": "The agreement of a stolen copy is a lower bound: another thief, more queries or a "
    "better pool may steal more.",
    "limits.memberships": "What membership attacks found is a lower bound on what leaks. The intervals speak "
    "of the samples, not of another training of the same network.",
    "limits.inversions": "A picture like the mean of a class is nobody's picture; and where the attacks tried "
    "drew nothing, another may.",
    "limits.sweeps": "A sweep shows what one change did to one network without retraining, or one training per "
    "point: another seed moves the points.",
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
    "kind.sweep": "sweep",
    "kind.certificates": "certificates",
    "kind.detection": "detection",
    "kind.corruptions": "corruptions",
    "kind.poisoning": "poisoning",
    "kind.cleansing": "cleansing",
    "kind.extraction": "extraction",
    "kind.membership": "membership inference",
    "kind.inversion": "inversion",
    "kind.scan": "scan before import",
    "kind.sealing": "sealing",
    "kind.signing": "signing",
    "kind.obfuscation": "obfuscation",
    "kind.trace": "tracing",
    "kind.watermark": "watermark",
    "kind.watermark-verification": "search for a watermark",
    "kind.private-query": "private query",
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
    "glossary.detector": "Detector",
    "glossary.detector.text": "A part that scores how unusual an input is and refuses what lies above a "
    "threshold.",
    "glossary.adaptive": "Adaptive attack",
    "glossary.adaptive.text": "One made with full knowledge of the defence, to get past it.",
    "glossary.corruption": "Common corruptions",
    "glossary.corruption.text": "Fifteen kinds of noise, blur, weather and compression at five severities, "
    "after Hendrycks and Dietterich.",
    "glossary.poisoning": "Poisoning",
    "glossary.poisoning.text": "Changing training data so that the model that learns from them goes wrong.",
    "glossary.trigger": "Trigger",
    "glossary.trigger.text": "A mark that makes a poisoned model give the answer the attacker wants.",
    "glossary.precision": "Precision and recall",
    "glossary.precision.text": "Of what was flagged, the share that was poisoned; and of what was poisoned, "
    "the share that was flagged.",
    "glossary.anomaly": "Anomaly index",
    "glossary.anomaly.text": "How far a class's smallest stamp lies from the median of all classes, in median "
    "absolute deviations; above 2 and smaller than the median is suspicious.",
    "glossary.fidelity": "Agreement (fidelity)",
    "glossary.fidelity.text": "Share of test images on which a copy answers as its victim, right or wrong.",
    "glossary.transfer": "Carried-over samples",
    "glossary.transfer.text": "Adversarial examples made on one model and tried on another.",
    "glossary.certificate": "Certificate",
    "glossary.certificate.text": "A proof, or a statement with a stated confidence, that no input within the "
    "threat changes the answer to one sample.",
    "glossary.membership": "Membership inference",
    "glossary.membership.text": "Telling whether a record was in a model's training data.",
    "glossary.false_alarms": "False alarms",
    "glossary.false_alarms.text": "Share of non-members that an attack takes for members (false-positive "
    "rate).",
    "glossary.auc": "Area under the curve",
    "glossary.auc.text": "Chance that a member's score is above a non-member's: one half is guessing. Its "
    "interval is Newcombe's.",
    "glossary.inversion": "Model inversion",
    "glossary.inversion.text": "Drawing pictures of what a model takes for a class, out of the model itself.",
    "glossary.correlation": "Correlation",
    "glossary.correlation.text": "Likeness of two images' values, blind to brightness and contrast: 1 is the "
    "same, 0 is nothing in common.",
    # end
    "command.heading": "Repeat this",
    "command.lead": "This command made the run. Figures repeat from the seeds in the evidence; times do not.",
    "footer": "Made by Hauberk from evidence documents alone. This page loads nothing and runs no script.",
}
