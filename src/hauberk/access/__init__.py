"""Who may enter the vault and do what there, and the trail of every decision."""
