"""Speed and memory on this machine: reported, never asserted."""
