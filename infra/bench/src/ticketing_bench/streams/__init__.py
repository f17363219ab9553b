"""How late a thousand browsers are told of a change."""
