"""What people are shown: tables, evidence drawn on its page, and what de-identification removed."""
