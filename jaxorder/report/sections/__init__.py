"""The sections of the page; each module writes one."""
