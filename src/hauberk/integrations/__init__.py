"""Where Hauberk meets the tools around it: pytest, pre-commit, MLflow, Hugging Face; each loads when used."""
