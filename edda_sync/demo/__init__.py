"""The main job on this machine: three devices, each a real process, meet, part, write the same things, and meet again."""
