"""Pictures of what was measured; each function draws one."""
