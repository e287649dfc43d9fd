"""What makes memories of messages."""
