"""What a model runs in: packages with known flaws, what machine and interpreter leave open, secrets in files.

    facts = look(folder, osv="all.zip", now=clock.now())
    facts.flaws, facts.unjudged, facts.machine, facts.files

Nothing is asked over the network unless ``ask_online`` says so, and what could not be found out is said, never
left out.
"""

from hauberk.assurance.environment.looking import Environment, Known, look

__all__ = ["Environment", "Known", "look"]
