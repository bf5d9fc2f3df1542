"""What a setting will need in memory, before and after it ran."""
