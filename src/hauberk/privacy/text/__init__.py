"""De-identification of text and tables of text: what is found, and what is done with it."""
