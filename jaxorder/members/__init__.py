"""What makes a member itself: its random streams, its values, its examples."""
