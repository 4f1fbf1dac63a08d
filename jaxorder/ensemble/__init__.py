"""Training and evaluation of many members: written for one, mapped in one place."""
